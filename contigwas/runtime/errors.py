"""The one exception that speaks to the user."""


class UserError(Exception):
    """A mistake in the user's data or config, reported in one sentence: what is wrong, in which file and where, what to do.

    Adapters print the sentence and exit with status 1, without a traceback. The sentence never names a sample:
    it gives counts and the shape of an ID (`contigwas.tables.sample_ids.shape`).
    """
