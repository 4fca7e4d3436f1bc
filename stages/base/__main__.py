from stages.base.train import train
from stages.door import enter

if __name__ == "__main__":
    enter(train, "leg")
