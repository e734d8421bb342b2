"""The pages of `actcli report`: result objects as HTML. The numbers are made in the rooms below."""
