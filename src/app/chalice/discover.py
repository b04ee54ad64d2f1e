"""Imports a Chalice app and writes down, as plain facts, what it declares.

Usage: discover.py REQUEST, a JSON file with `project`, `environment`, `limit_s`, `result` and `hang`. The facts go to
the file `result`, since an app may print what it likes; where the app is when its time is over goes to `hang`.
"""

import faulthandler
import importlib
import inspect
import json
import math
import os
import sys
import traceback


def main(request_file):
    with open(request_file, encoding="utf-8") as file:
        request = json.load(file)
    project = os.path.realpath(request["project"])
    sys.argv = ["stagewright"]
    os.chdir(project)
    sys.path.insert(0, project)
    vendor = os.path.join(project, "vendor")
    if os.path.isdir(vendor):
        sys.path.append(vendor)
    os.environ.update(request["environment"])
    with open(request["hang"], "w", encoding="utf-8") as hang:
        faulthandler.dump_traceback_later(request["limit_s"], exit=True, file=hang)
        facts = observe(project)
        faulthandler.cancel_dump_traceback_later()
    partial = request["result"] + ".partial"
    with open(partial, "w", encoding="utf-8") as file:
        json.dump(facts, file, indent=1)
        file.write("\n")
    os.replace(partial, request["result"])
    try:
        sys.stdout.flush()
    finally:
        # Neither a thread of the app's nor what it did to its streams must keep us here.
        os._exit(0)


def observe(project):
    try:
        module = importlib.import_module("app")
    except SystemExit as error:
        return {"outcome": "exited", "status": str(error.code), **last_place(project, error)}
    except BaseException as error:
        return raised(project, error)
    if not hasattr(module, "app"):
        return {"outcome": "no_app"}
    from chalice.app import Chalice

    if not isinstance(module.app, Chalice):
        return {"outcome": "no_chalice", "kind": type(module.app).__name__}
    try:
        facts = describe(project, module.app)
        return unfit(facts) or {"outcome": "found", **facts}
    except Exception as error:
        return raised(project, error)


def raised(project, error):
    place = last_place(project, error)
    message = "".join(traceback.format_exception_only(type(error), error)).strip()
    if isinstance(error, SyntaxError):
        message = "%s: %s" % (type(error).__name__, error.msg)
        if error.filename and inside(project, error.filename):
            place = {"file": os.path.relpath(error.filename, project), "line": error.lineno}
    trace = error.__traceback__
    first = trace
    while first is not None and not inside(project, first.tb_frame.f_code.co_filename):
        first = first.tb_next
    if first is None and isinstance(error, SyntaxError):
        text = "".join(traceback.format_exception_only(type(error), error))
    else:
        # Without our own frames, where the app has any.
        text = "".join(traceback.format_exception(type(error), error, first or trace))
    return {"outcome": "raised", "message": message, "traceback": text, **place}


def last_place(project, error):
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if inside(project, frame.filename)]
    if not ours:
        return {"file": "app.py", "line": None}
    return {"file": os.path.relpath(ours[-1].filename, project), "line": ours[-1].lineno}


def inside(project, file):
    """Whether a file is the project's own, not of a virtualenv that happens to lie in it."""
    if not os.path.isabs(file):
        return False
    parts = os.path.relpath(os.path.realpath(file), project).split(os.sep)
    return parts[0] != os.pardir and "site-packages" not in parts and not parts[0].startswith(".")


def describe(project, app):
    from chalice.app import __version__

    return {
        "chalice": __version__,
        "app_name": app.app_name,
        "binary_types": list(app.api.binary_types),
        "routes": [
            route(project, path, entry) for path, entries in app.routes.items() for entry in entries.values()
        ],
        "authorizers": [
            {**function(project, app, config), "header": config.header}
            for config in app.builtin_auth_handlers
        ],
        "functions": [function(project, app, entry) for entry in app.pure_lambda_functions],
        "event_sources": [
            {"kind": type(config).__name__, "details": details(config), **function(project, app, config)}
            for config in app.event_sources
        ],
        "websockets": [
            {"kind": key, **function(project, app, config)} for key, config in app.websocket_handlers.items()
        ],
        "features_missing": sorted(
            getattr(app, "_features_used", set()) - set(getattr(app, "experimental_feature_flags", ()))
        ),
        "unpackaged": unpackaged(project),
    }


def details(config):
    """What calls a function, in Chalice's own words; `flaw` where one of them cannot be written down."""
    from chalice.app import ScheduleExpression

    fields = {name: value for name, value in vars(config).items() if name not in ("name", "handler_string")}
    for name, value in fields.items():
        if isinstance(value, ScheduleExpression):
            try:
                fields[name] = value.to_string()
            except Exception as error:
                parts = ", ".join("%s=%r" % part for part in vars(value).items())
                return {"flaw": "%s(%s) is no schedule: %s" % (type(value).__name__, parts, error)}
        elif unwritable(value):
            return {"flaw": "`%s` must be text, a number or a list, and is %.100r" % (name, value)}
    return fields


def unfit(facts):
    """What the app declares and nobody can write down, as an outcome; None where there is nothing of the kind."""
    for kind in ("functions", "authorizers", "event_sources", "websockets"):
        for entry in facts[kind]:
            if not isinstance(entry["name"], str):
                return misfit(entry, "the name of a function must be text, and is %r" % (entry["name"],))
    for entry in facts["authorizers"]:
        if not isinstance(entry["header"], str):
            message = "`header` of authorizer `%s` must be text, and is %r" % (entry["name"], entry["header"])
            return misfit(entry, message)
    for route in facts["routes"]:
        where = "`%s %s`" % (route["method"], route["path"])
        for kind in route["content_types"]:
            if not isinstance(kind, str):
                return misfit(route, "content types of %s must be text, and one is %r" % (where, kind))
        guard = route["authorizer"]
        if guard and "flaw" in guard:
            return misfit(route, "%s: %s" % (where, guard["flaw"]))
        if guard:
            details = guard.get("definition", {}).get("x-amazon-apigateway-authorizer") or {}
            ttl = guard.get("ttl_s", details.get("authorizerResultTtlInSeconds"))
            if ttl is not None and (isinstance(ttl, bool) or not isinstance(ttl, int) or ttl < 0):
                name = guard["name"]
                return misfit(route, "`ttl_seconds` of authorizer `%s` must be a whole number, and is %r" % (name, ttl))
        message = unwritable(route)
        if message:
            return misfit(route, "%s: %s" % (where, message))
    message = unwritable(facts)
    return misfit({"file": "app.py", "line": None}, message) if message else None


def misfit(place, message):
    return {"outcome": "unfit", "message": message, "file": place["file"], "line": place["line"]}


def unwritable(value, path=""):
    """Where in a value something stands that JSON does not have."""
    if value is None or isinstance(value, (str, int)) or isinstance(value, float) and math.isfinite(value):
        return None
    if isinstance(value, (list, tuple)):
        return next(filter(None, (unwritable(item, path) for item in value)), None)
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return next(filter(None, (unwritable(item, key) for key, item in value.items())), None)
    return "`%s` must be text, a number or a list, and has %r" % (path.replace("_", " "), value)


def route(project, path, entry):
    cors = entry.cors
    return {
        "path": path,
        "method": entry.method,
        "view": entry.view_name,
        "documentation": (inspect.getdoc(entry.view_function) or "").splitlines(),
        "content_types": list(entry.content_types),
        "api_key_required": bool(entry.api_key_required),
        "cors": None if cors is None else list(cors.get_access_control_headers().items()),
        "authorizer": authorizer(entry.authorizer),
        **place(project, entry.view_function),
    }


def authorizer(guard):
    if not guard:
        return None
    from chalice.app import ChaliceAuthorizer

    facts = {"name": guard.name, "scopes": list(guard.scopes or [])}
    config = getattr(guard, "config", None)
    if config is None and isinstance(guard, ChaliceAuthorizer):
        return {**facts, "flaw": "authorizer `%s` is of a blueprint that the app has not registered" % guard.name}
    if config is None:
        return {**facts, "definition": guard.to_swagger()}
    return {
        **facts,
        "function": config.name,
        "header": config.header,
        "ttl_s": config.ttl_seconds,
        "credentials": config.execution_role,
    }


def function(project, app, config):
    module, _, name = config.handler_string.rpartition(".")
    found = getattr(imported(module), name, None)
    return {
        "name": config.name,
        "handler": config.handler_string,
        "handler_exists": found is not None,
        **place(project, app.handler_map.get(config.name)),
    }


def imported(module):
    """A module as Lambda will import it, or None where it will not be able to."""
    try:
        return importlib.import_module(module)
    except (Exception, SystemExit):
        return None


def place(project, handler):
    """File and line of a handler, below whatever it is wrapped in."""
    for _ in range(20):
        code = getattr(handler, "__code__", None)
        inner = [getattr(handler, name, None) for name in ("__wrapped__", "func", "handler", "_original_func")]
        inner = [candidate for candidate in inner if callable(candidate)]
        if not inner:
            break
        handler = inner[0]
    code = getattr(handler, "__code__", None)
    if code is None or not inside(project, code.co_filename):
        return {"file": "app.py", "line": None}
    return {"file": os.path.relpath(code.co_filename, project), "line": code.co_firstlineno}


def unpackaged(project):
    """Modules of the project that the app imports, and that no part of a Chalice package holds."""
    packaged = ("app.py", "chalicelib", "vendor")
    files = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    ours = (os.path.relpath(file, project) for file in files if file and inside(project, file))
    return sorted(file for file in ours if file.split(os.sep)[0] not in packaged)


if __name__ == "__main__":
    main(sys.argv[1])
