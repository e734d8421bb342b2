"""The program `actcli`, which is also `python -m actcli`.

Importing the commands takes some time. Ctrl-C during this time ends the program with one line, like
Ctrl-C during a command. So this module imports them only after it has a handler of SIGINT, and
`actcli/__init__.py` imports nothing.
"""

import os


def main() -> None:
    """Run the command that the arguments name, and exit."""
    try:
        import signal

        # Otherwise the parent process wants SIGINT to be ignored, as nohup does.
        handles = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if handles:
            signal.signal(signal.SIGINT, quit_at_once)
        from actcli.cli import main as run

        try:
            if handles:
                signal.signal(signal.SIGINT, signal.default_int_handler)
            run()
        finally:
            if handles:
                # While Python ends, KeyboardInterrupt would be printed with a traceback.
                signal.signal(signal.SIGINT, signal.SIG_DFL)
    except KeyboardInterrupt:
        quit_at_once()


def quit_at_once(*_signal_and_frame: object) -> None:
    """End the process; an exception would be lost where an import calls back from C."""
    os.write(2, b"Error: interrupted\n")
    os._exit(130)


if __name__ == "__main__":
    main()
