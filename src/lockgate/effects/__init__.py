"""What a statement does to a database while it runs: the locks it takes, what it writes anew, what it reads whole."""

from lockgate.effects.known import Catalog
from lockgate.effects.model import Effects, Lock, Mode, strongest
from lockgate.effects.predicting import predict

__all__ = ["Catalog", "Effects", "Lock", "Mode", "predict", "strongest"]
