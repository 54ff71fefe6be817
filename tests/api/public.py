"""The public API of a crate as text, one line for each item, from the JSON that rustdoc makes of it."""

import json
import sys

with open(sys.argv[1]) as file:
    DOC = json.load(file)
INDEX = DOC["index"]
LINES = set()


def item(id):
    return INDEX.get(str(id))


def path(value):
    return value["path"].split("::")[-1] + arguments(value.get("args"))


def arguments(args):
    if not args:
        return ""
    if "parenthesized" in args:
        inner = args["parenthesized"]
        output = f" -> {kind(inner['output'])}" if inner["output"] else ""
        return "(" + ", ".join(map(kind, inner["inputs"])) + ")" + output
    inner = args.get("angle_bracketed") or {}
    words = [argument(arg) for arg in inner.get("args", [])]
    for bound in inner.get("constraints", []):
        binding = bound["binding"]
        if "equality" in binding:
            words.append(f"{bound['name']} = {argument(binding['equality'])}")
        else:
            words.append(f"{bound['name']}: {bounds(binding['constraint'])}")
    return "<" + ", ".join(words) + ">" if words else ""


def argument(arg):
    if isinstance(arg, str):
        return "_"
    (name, value), = arg.items()
    return kind(value) if name == "type" else value if name == "lifetime" else value["expr"]


def bounds(all):
    words = []
    for bound in all:
        if "trait_bound" in bound:
            words.append(path(bound["trait_bound"]["trait"]))
        elif "outlives" in bound:
            words.append(bound["outlives"])
    return " + ".join(words)


def kind(value):
    """A type."""
    if isinstance(value, str):
        return "_"
    (name, inner), = value.items()
    match name:
        case "resolved_path":
            return path(inner)
        case "generic" | "primitive":
            return inner
        case "borrowed_ref":
            lifetime = f"{inner['lifetime']} " if inner["lifetime"] else ""
            return f"&{lifetime}{'mut ' if inner['is_mutable'] else ''}{kind(inner['type'])}"
        case "tuple":
            return "(" + ", ".join(map(kind, inner)) + ")"
        case "slice":
            return f"[{kind(inner)}]"
        case "array":
            return f"[{kind(inner['type'])}; {inner['len']}]"
        case "impl_trait":
            return f"impl {bounds(inner)}"
        case "dyn_trait":
            return "dyn " + " + ".join(path(each["trait"]) for each in inner["traits"])
        case "qualified_path":
            return f"{kind(inner['self_type'])}::{inner['name']}"
        case "function_pointer":
            return "fn" + signature(inner["sig"])
    return name


def signature(sig):
    inputs = ", ".join(kind(type) if name != "self" else receiver(type) for name, type in sig["inputs"])
    return f"({inputs})" + (f" -> {kind(sig['output'])}" if sig["output"] else "")


def receiver(type):
    return {"Self": "self", "&Self": "&self", "&mut Self": "&mut self"}.get(kind(type), kind(type))


def generics(value):
    words = []
    for parameter in value["params"]:
        inner = parameter["kind"]
        if "type" in inner and not inner["type"]["is_synthetic"]:
            limits = bounds(inner["type"]["bounds"])
            words.append(parameter["name"] + (f": {limits}" if limits else ""))
    return "<" + ", ".join(words) + ">" if words else ""


def note(line):
    LINES.add(" ".join(line.split()))


def members(ids, owner):
    for id in ids:
        found = item(id)
        if found:
            show(found, owner)


def implementations(ids, owner):
    for id in ids:
        inner = item(id)["inner"]["impl"]
        if inner["is_synthetic"] or inner["blanket_impl"]:
            continue
        if inner["trait"] is None:
            members(inner["items"], owner)
        else:
            note(f"impl {path(inner['trait'])} for {owner}")


def show(found, parent):
    (name, inner), = found["inner"].items()
    if found["visibility"] not in ("public", "default"):
        return
    owner = f"{parent}::{found['name']}"
    match name:
        case "module":
            members(inner["items"], owner if parent else found["name"])
        case "use":
            target = item(inner["id"]) if inner["id"] is not None else None
            if target is None:
                note(f"use {parent}::{inner['name']}")
            elif inner["is_glob"]:
                members(target["inner"]["module"]["items"], parent)
            else:
                show({**target, "name": inner["name"], "visibility": "public"}, parent)
        case "function":
            words = "async fn" if inner["header"]["is_async"] else "fn"
            note(f"{words} {owner}{generics(inner['generics'])}{signature(inner['sig'])}")
        case "struct":
            note(f"struct {owner}{generics(inner['generics'])}")
            shape = inner["kind"]
            if isinstance(shape, dict) and "plain" in shape:
                members(shape["plain"]["fields"], owner)
            implementations(inner["impls"], owner)
        case "enum":
            note(f"enum {owner}")
            members(inner["variants"], owner)
            implementations(inner["impls"], owner)
        case "variant":
            shape = inner["kind"]
            fields = ""
            if isinstance(shape, dict) and "tuple" in shape:
                fields = "(" + ", ".join(kind(item(id)["inner"]["struct_field"]) for id in shape["tuple"] if id) + ")"
            note(f"variant {owner}{fields}")
            if isinstance(shape, dict) and "struct" in shape:
                members(shape["struct"]["fields"], owner)
        case "struct_field":
            note(f"field {owner}: {kind(inner)}")
        case "trait":
            note(f"trait {owner}{generics(inner['generics'])}: {bounds(inner['bounds'])}")
            members(inner["items"], owner)
        case "assoc_const" | "constant":
            note(f"const {owner}: {kind(inner['type'])}")
        case "static":
            note(f"static {owner}: {kind(inner['type'])}")
        case "assoc_type":
            note(f"type {owner}: {bounds(inner['bounds'])}")
        case "type_alias":
            note(f"type {owner} = {kind(inner['type'])}")


show(item(DOC["root"]), "")
print("\n".join(sorted(LINES)))
