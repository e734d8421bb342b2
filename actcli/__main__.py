"""`python -m actcli` is the same as `actcli`."""

from actcli.cli import main

if __name__ == "__main__":
    main()
