"""Which functions give another value for each row, as far as names tell."""

from __future__ import annotations

from lockgate.sql.ddl import dotted, strings
from lockgate.sql.tree import Node, walk

_VOLATILE = frozenset(
    ["clock_timestamp", "timeofday", "random", "random_normal", "nextval", "setval", "gen_random_uuid", "uuidv4", "uuidv7", "uuid_generate_v1", "uuid_generate_v1mc", "uuid_generate_v4", "gen_random_bytes", "pg_sleep", "nanoid", "generate_ulid", "gen_ulid", "ulid_generate", "gen_salt", "currval", "lastval"]
)

# What a default may well be made of. Any other name may be somebody's own function, volatile unless it says otherwise.
_STEADY = frozenset(
    ["now", "transaction_timestamp", "statement_timestamp", "date_trunc", "date_part", "extract", "timezone", "age", "to_char", "to_date", "to_timestamp", "to_number", "make_date", "make_time", "make_timestamp", "make_timestamptz", "make_interval", "current_setting", "current_schema", "current_database", "version", "inet_client_addr", "inet_server_addr", "getdatabaseencoding", "txid_current", "pg_current_xact_id", "pg_backend_pid", "lower", "upper", "initcap", "concat", "concat_ws", "format", "replace", "substring", "substr", "left", "right", "lpad", "rpad", "trim", "btrim", "ltrim", "rtrim", "md5", "sha224", "sha256", "sha384", "sha512", "encode", "decode", "length", "char_length", "octet_length", "repeat", "reverse", "split_part", "regexp_replace", "regexp_match", "translate", "quote_ident", "quote_literal", "chr", "ascii", "abs", "ceil", "ceiling", "floor", "round", "trunc", "sign", "sqrt", "power", "pow", "mod", "greatest", "least", "coalesce", "nullif", "exp", "ln", "log", "pi", "array_fill", "array_append", "array_prepend", "array_cat", "array_length", "string_to_array", "array_to_string", "cardinality", "jsonb_build_object", "jsonb_build_array", "json_build_object", "json_build_array", "to_json", "to_jsonb", "row_to_json", "jsonb_object", "json_object", "int4range", "int8range", "numrange", "tsrange", "tstzrange", "daterange", "point", "box", "circle", "polygon", "to_tsvector", "to_tsquery", "plainto_tsquery", "setweight", "int4", "int8", "text", "bool", "date", "interval"]
)


def volatile(expression: Node) -> tuple[str, str]:
    """A function in an expression that is volatile, and one that may be; empty texts for none."""
    sure = unsure = ""
    for node in walk(expression):
        if node.DESCRIPTOR.name != "FuncCall":
            continue
        names = strings(node.funcname)
        builtin = len(names) == 1 or names[0] == "pg_catalog"
        if names[-1] in _VOLATILE:
            sure = sure or dotted(names)
        elif not builtin or names[-1] not in _STEADY:
            unsure = unsure or dotted(names)
    return sure, unsure
