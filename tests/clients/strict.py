"""Three Python clients call every tool with the arguments that their form of its schema makes a model send.

    python strict.py '{"command": [program, argument, ...], "plausible": {argument: value}}'

Each takes the schemas from the server over standard input and output, converts them with its own library, and calls every
tool: every property that its form requires or may send is there, `null` for what is optional. A tool that is added is in
it. What is required has a plausible value; whether the call succeeds does not matter here, only whether its form is
taken. Ends with 1 and says why where a schema does not survive, or a call is refused for its form.
"""

import asyncio
import json
import os
import sys
from contextlib import asynccontextmanager

from agents.mcp import MCPServerStdio, MCPUtil
from fastmcp.client.transports import StdioTransport
from google.genai import types
from google.genai._adapters import McpToGenAiToolAdapter
from jsonschema import Draft202012Validator
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.profiles.google import GoogleJsonSchemaTransformer
from pydantic_ai.profiles.openai import OpenAIJsonSchemaTransformer

# How long one call may take on a machine that is busy.
PATIENCE = 120.0

JOB = json.loads(sys.argv[1])
PROGRAM, *ARGUMENTS = JOB["command"]
complaints = []


def input_schema(tool):
    """The published schema; the SDK's field has had two names."""
    return getattr(tool, "input_schema", None) or tool.inputSchema


def complain(client, tool, arguments, problem):
    complaints.append(f"{client}: {tool} {json.dumps(arguments)}: {problem}")


# ---- what each client makes of a schema, as JSON Schema


def of_agents(tool, server):
    converted = MCPUtil.to_function_tool(tool, server, convert_schemas_to_strict=True)
    if not converted.strict_json_schema:
        complain("openai-agents", tool.name, {}, "its schema did not survive the conversion to strict")
    return converted.params_json_schema


def of_gemini(schema):
    """Gemini's subset of OpenAPI, read back: types in capitals, `nullable`."""
    read = {}
    for key, value in schema.items():
        if key == "properties":
            read[key] = {name: of_gemini(inner) for name, inner in value.items()}
        elif key == "items":
            read[key] = of_gemini(value)
        elif key == "any_of":
            read["anyOf"] = [of_gemini(inner) for inner in value]
        elif key == "type":
            read[key] = [value.lower(), "null"] if schema.get("nullable") else value.lower()
        elif key == "enum":
            read[key] = [*value, None] if schema.get("nullable") else value
        elif key != "nullable":
            read[key] = value
    return read


# ---- what is sent


def optional_is_null(client, tool, converted):
    """Every property of the converted schema: `null` for what is optional, a plausible value for the rest."""
    published = input_schema(tool)
    lost = set(published.get("properties", {})) - set(converted.get("properties", {}))
    if lost:
        complain(client, tool.name, {}, f"the conversion loses {sorted(lost)}")
    arguments = {}
    for name, schema in converted.get("properties", {}).items():
        if name in published.get("required", []):
            arguments[name] = plausible(client, tool, name, schema)
        elif Draft202012Validator(schema).is_valid(None):
            arguments[name] = None
        else:
            complain(client, tool.name, {name: None}, f"a model cannot leave it out: {json.dumps(schema)}")
    if not Draft202012Validator(converted).is_valid(arguments):
        complain(client, tool.name, arguments, f"its own schema forbids what it sends: {json.dumps(converted)}")
    return arguments


def plausible(client, tool, name, schema):
    if name in JOB["plausible"]:
        return JOB["plausible"][name]
    complain(client, tool.name, {name: "?"}, "tests/clients.rs has no plausible value for it")
    return ""


def single(schema):
    """What a schema allows besides null."""
    cases = [case for case in schema.get("anyOf", [schema]) if case.get("type") != "null"]
    kind = cases[0].get("type")
    return cases[0], next(one for one in kind if one != "null") if isinstance(kind, list) else kind


def entries(schema):
    """As few entries as the list may have, and one at least."""
    entry = 1 if schema.get("items", {}).get("type") == "integer" else JOB["plausible"]["host"]
    return [entry] * max(1, schema.get("minItems", 1))


def as_strings(tool, arguments):
    """The same with each optional number, yes or no, word and list in turn, as text."""
    for name, schema in input_schema(tool).get("properties", {}).items():
        only, kind = single(schema)
        value = {
            "boolean": "False",
            "integer": f"{only.get('minimum', 1)}.0",
            "number": "1",
            "array": json.dumps(entries(only)),
        }.get(kind)
        if value is not None:
            yield {**arguments, name: value}


def as_floats(arguments):
    """Gemini's arguments come through a form of JSON whose numbers are all floats."""
    return {name: float(value) if type(value) is int else value for name, value in arguments.items()}


def judge(client, tool, arguments, content):
    """Refused for the form: the server reports wrong arguments."""
    error = (content or {}).get("error") or {}
    message = error.get("message", "")
    if error.get("code") == "invalid_input" and "was called with wrong arguments" in message:
        complain(client, tool.name, arguments, message)


def structured(result):
    return getattr(result, "structured_content", None) or getattr(result, "structuredContent", None)


# ---- the clients


async def openai_agents():
    params = {"command": PROGRAM, "args": ARGUMENTS, "env": dict(os.environ)}
    async with MCPServerStdio(params=params, client_session_timeout_seconds=PATIENCE) as server:
        tools = await server.list_tools()
        for tool in tools:
            arguments = optional_is_null("openai-agents", tool, of_agents(tool, server))
            for sent in [arguments, *as_strings(tool, arguments)]:
                judge("openai-agents", tool, sent, structured(await server.call_tool(tool.name, sent)))
        return [tool.name for tool in tools]


@asynccontextmanager
async def session():
    params = StdioServerParameters(command=PROGRAM, args=ARGUMENTS, env=dict(os.environ))
    async with stdio_client(params) as (reading, writing), ClientSession(reading, writing) as it:
        await it.initialize()
        yield it


async def google_genai():
    async with session() as it:
        listed = await it.list_tools()
        adapter = McpToGenAiToolAdapter(it, listed)
        for tool, converted in zip(listed.tools, adapter.tools, strict=True):
            declaration = converted.function_declarations[0]
            schema = of_gemini(declaration.parameters.model_dump(exclude_none=True, mode="json"))
            arguments = as_floats(optional_is_null("google-genai", tool, schema))
            call = types.FunctionCall(name=declaration.name, args=arguments)
            judge("google-genai", tool, arguments, structured(await adapter.call_tool(call)))
        return [tool.name for tool in listed.tools]


async def pydantic_ai():
    transport = StdioTransport(PROGRAM, ARGUMENTS, env=dict(os.environ))
    # An error is raised with its text; the answer is what matters here.
    toolset = MCPToolset(transport, read_timeout=PATIENCE)
    async with toolset:
        tools = await toolset.list_tools()
        for tool in tools:
            strict = OpenAIJsonSchemaTransformer(input_schema(tool), strict=True).walk()
            gemini = GoogleJsonSchemaTransformer(input_schema(tool)).walk()
            for name, schema in [("pydantic-ai for OpenAI", strict), ("pydantic-ai for Google", gemini)]:
                arguments = optional_is_null(name, tool, schema)
                result = await toolset.client.call_tool(tool.name, arguments, raise_on_error=False)
                judge(name, tool, arguments, structured(result))
        return [tool.name for tool in tools]


async def main():
    called = [await client() for client in (openai_agents, google_genai, pydantic_ai)]
    for tools in called:
        if tools != called[0] or not tools:
            complaints.append(f"not every client saw every tool: {called}")
    print(json.dumps(called[0]))


asyncio.run(main())
if complaints:
    sys.exit("\n".join(complaints))
