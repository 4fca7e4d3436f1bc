from stages.door import enter
from stages.evaluation.run import run

if __name__ == "__main__":
    enter(run, "model")
