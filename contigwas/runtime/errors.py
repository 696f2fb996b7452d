"""The exception for mistakes in the data or the config of a user."""


class UserError(Exception):
    """A mistake in the user's data or config. The message says where it is, what is wrong, and how to fix it.

    Jobs print the message and exit with status 1, without a traceback. The message never contains a sample ID. It
    gives counts and the form of the IDs (`contigwas.tables.sample_ids.shape`).
    """
