from stages.door import enter
from stages.selection.run import run

if __name__ == "__main__":
    enter(run, "iteration")
