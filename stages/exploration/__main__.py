from stages.door import enter
from stages.exploration.run import run

if __name__ == "__main__":
    enter(run, "iteration")
