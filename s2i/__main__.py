"""`python -m s2i` is `s2i`."""

from s2i.cli import main

if __name__ == "__main__":
    main()
