"""`python -m gdtrain` is `gdtrain`."""

from __future__ import annotations

from gdtrain.cli import main

if __name__ == "__main__":
    main()
