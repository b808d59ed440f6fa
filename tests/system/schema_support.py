"""Checks JSON against the part of JSON Schema (draft 2020-12) that docs/run-status.schema.json uses; a keyword that it
does not know is an error, so nothing goes unchecked. Standard library only."""

import json
import re

from film_support import SOURCE

RUN_STATUS = json.loads((SOURCE / "docs/run-status.schema.json").read_text())

TYPES = {
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "boolean": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
    "number": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
}
SAY_NOTHING = {"$schema", "$defs", "title", "description"}


def faults(value, schema=RUN_STATUS, root=RUN_STATUS, where="$"):
    """Yields a line for each."""
    for keyword, wanted in schema.items():
        if keyword in SAY_NOTHING:
            continue
        if keyword == "$ref":
            yield from faults(value, root["$defs"][wanted.removeprefix("#/$defs/")], root, where)
        elif keyword == "type":
            if not TYPES[wanted](value):
                yield f"{where}: {value!r:.60} is no {wanted}"
                return
        elif keyword == "const":
            if value != wanted or isinstance(value, bool) != isinstance(wanted, bool):
                yield f"{where}: {value!r:.60} is not {wanted!r}"
        elif keyword == "enum":
            if value not in wanted:
                yield f"{where}: {value!r:.60} is none of {wanted}"
        elif keyword == "minimum":
            if value < wanted:
                yield f"{where}: {value} is under {wanted}"
        elif keyword == "maximum":
            if value > wanted:
                yield f"{where}: {value} is over {wanted}"
        elif keyword == "pattern":
            if not re.search(wanted, value):
                yield f"{where}: {value!r:.60} does not look like {wanted}"
        elif keyword == "anyOf":
            if all(any(faults(value, each, root, where)) for each in wanted):
                yield f"{where}: {value!r:.60} is none of what it may be"
        elif keyword == "items":
            for i, item in enumerate(value):
                yield from faults(item, wanted, root, f"{where}[{i}]")
        elif keyword == "maxItems":
            if len(value) > wanted:
                yield f"{where}: more than {wanted}"
        elif keyword == "required":
            yield from (f"{where}: has no {name}" for name in wanted if name not in value)
        elif keyword == "dependentRequired":
            yield from (f"{where}: has {name}, but not {other}" for name, others in wanted.items() if name in value
                        for other in others if other not in value)
        elif keyword == "properties":
            for name, each in wanted.items():
                if name in value:
                    yield from faults(value[name], each, root, f"{where}.{name}")
        elif keyword == "additionalProperties" and wanted is False:
            yield from (f"{where}: {name} is not in the schema" for name in value if name not in schema["properties"])
        else:
            raise ValueError(f"schema_support does not know {keyword}: {wanted}")
