"""The command `python run.py`, which measures how image augmentation scales; see `--help`."""

from augmentation_scaling import main

if __name__ == "__main__":
    main()
