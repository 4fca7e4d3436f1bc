from stages.door import enter
from stages.warmup.run import run

if __name__ == "__main__":
    enter(run)
