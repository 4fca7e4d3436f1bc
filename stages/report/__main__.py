from stages.door import enter
from stages.report.run import run

if __name__ == "__main__":
    enter(run)
