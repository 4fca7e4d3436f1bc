from itool.cli import command_line
from recipes.smollm2.convert import convert

if __name__ == "__main__":
    command_line(convert)
