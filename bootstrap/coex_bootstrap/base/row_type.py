"""Make the types of rows: tuples whose fields have names. `collections`, which has such, takes a start some milliseconds."""

from operator import itemgetter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Tuple, Type

    Row = Tuple[object, ...]


def row_type(name, fields):
    # type: (str, str) -> type
    """Return a type of tuples with these fields, whose names stand between blanks; `_replace` changes some of a row."""
    names = fields.split()

    def new(kind, *values):
        # type: (Type[Row], *object) -> Row
        if len(values) != len(names):
            raise TypeError("%s has the fields %s" % (name, fields))
        return tuple.__new__(kind, values)

    def replace(row, **changed):
        # type: (Row, **object) -> Row
        values = dict(zip(names, row), **changed)
        if len(values) != len(names):
            raise TypeError("%s has the fields %s" % (name, fields))
        return new(type(row), *[values[field] for field in names])

    members = dict((field, property(itemgetter(number))) for number, field in enumerate(names))  # type: Dict[str, object]
    members.update({"__slots__": (), "__new__": new, "_replace": replace})
    return type(name, (tuple,), members)
