from stages.decay.run import run
from stages.door import enter

if __name__ == "__main__":
    enter(run)
