"""What a statement does to a database while it runs: the locks it takes, what it writes anew, what it reads whole.

``live.LiveCatalog`` reads what must be known of a database. It is not imported here: the text alone needs no driver.
"""

from lockgate.effects.known import Catalog
from lockgate.effects.model import Effects, Lock, Mode, strongest
from lockgate.effects.predicting import predict
from lockgate.effects.wording import label, sentences

__all__ = ["Catalog", "Effects", "Lock", "Mode", "label", "predict", "sentences", "strongest"]
