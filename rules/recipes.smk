"""What a training config names, for the rules of trainings."""


def recipe(wildcards):
    """A training config: yours, or the shipped one where the workflow is used from elsewhere."""
    own = Path(f"config/training/{wildcards.network}.yaml")
    shipped = SOURCE / own
    return str(shipped if shipped.is_file() and not own.is_file() else own)


def of_recipe(ask, *more):
    """What a training config says, checked before any job: no weights are lost by a misspelt one."""

    def answer(wildcards):
        try:
            return ask(recipe(wildcards), *more)
        except CellpipeError as fault:
            # an exception would be shown with a traceback
            say(stopped(fault))
            sys.exit(1)

    return answer


def given_by(ask, *more):
    """Inputs that a training config names: no rule makes them, so a module's prefix is not theirs."""
    return lambda wildcards: [local(path) for path in of_recipe(ask, *more)(wildcards)]


def data_of(wildcards):
    """The folder of the data; a cut one is made by a rule."""
    if wildcards.network in CUT:
        return of_recipe(data_folder, CUT[wildcards.network], True)(wildcards)
    return given_by(data_folder, TRAINING_DATA, False)(wildcards)
