"""Model files of actcli and of other frameworks: a file <-> layers. Nothing is ever executed."""
