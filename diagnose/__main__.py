"""`python -m diagnose` is the command `keras-diagnose`."""

from diagnose.cli import main

if __name__ == "__main__":
    main(prog_name="keras-diagnose")
