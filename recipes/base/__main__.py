from itool.cli import command_line
from recipes.base.train import train

if __name__ == "__main__":
    command_line(train, "leg")
