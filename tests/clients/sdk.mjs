// The official TypeScript SDK as a client of this server.
//
//   node sdk.mjs '{"sdk": "v1" | "v2", "transport": "stdio" | "http" | "sse", "task": "tour" | "cancel", …}'
//
// v1 is the generation for 2025-11-25 and older, v2 the one for 2026-07-28. Further fields: `command` (program and
// arguments, for stdio) or the server's `url`, `pid` and `authorization` (for the others), `mode` (v2's version
// negotiation), `version` and `era` (the expected result of the negotiation), `marker` (a text in the command line of
// the slow build). A failed check throws. Standard output is ignored.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const job = JSON.parse(process.argv[2]);
// The SDKs are installed elsewhere; see tools/setup.
const require = createRequire(join(process.env.PANTHEROS_TEST_CLIENTS, "here.js"));
const TOOLS = readdirSync(new URL("../../tools/schemas", import.meta.url)).map((file) => file.replace(".json", ""));
const WHO = { name: "pantheros-test", version: "1.0.0" };

// ---- the two generations

const generations = {
  v1() {
    const { Client } = require("@modelcontextprotocol/sdk/client/index.js");
    const { StdioClientTransport } = require("@modelcontextprotocol/sdk/client/stdio.js");
    const { StreamableHTTPClientTransport } = require("@modelcontextprotocol/sdk/client/streamableHttp.js");
    const { SSEClientTransport } = require("@modelcontextprotocol/sdk/client/sse.js");
    const { AjvJsonSchemaValidator } = require("@modelcontextprotocol/sdk/validation/ajv");
    const client = new Client(WHO, {});
    const transports = { stdio: StdioClientTransport, http: StreamableHTTPClientTransport, sse: SSEClientTransport };
    const call = (name, args, options) => client.callTool({ name, arguments: args }, undefined, options);
    return { client, transports, call, validator: new AjvJsonSchemaValidator() };
  },
  v2() {
    const { Client, StreamableHTTPClientTransport } = require("@modelcontextprotocol/client");
    const { StdioClientTransport } = require("@modelcontextprotocol/client/stdio");
    const { AjvJsonSchemaValidator } = require("@modelcontextprotocol/client/validators/ajv");
    const client = new Client(WHO, { versionNegotiation: { mode: job.mode } });
    const transports = { stdio: StdioClientTransport, http: StreamableHTTPClientTransport };
    const call = (name, args, options) => client.callTool({ name, arguments: args }, options);
    return { client, transports, call, validator: new AjvJsonSchemaValidator() };
  },
};

function transport(transports) {
  if (job.transport === "stdio") {
    const [command, ...args] = job.command;
    return new transports.stdio({ command, args, env: process.env, stderr: "inherit" });
  }
  return new transports[job.transport](new URL(job.url), { requestInit: { headers: { authorization: job.authorization } } });
}

// ---- helpers

/** The paths in `value` that `schema` does not describe. */
function undescribed(schema, value, root = schema, path = "") {
  if (schema.$ref) {
    const target = schema.$ref.slice(2).split("/").reduce((at, key) => at[key], root);
    return undescribed(target, value, root, path);
  }
  if (Array.isArray(value)) {
    return value.flatMap((item, at) => undescribed(schema.items ?? {}, item, root, `${path}/${at}`));
  }
  if (value === null || typeof value !== "object") {
    assert.notEqual(value, null, `${path} is null: what is absent is left out`);
    return [];
  }
  return Object.entries(value).flatMap(([key, inner]) => {
    const known = schema.properties?.[key] ?? (typeof schema.additionalProperties === "object" && schema.additionalProperties);
    return known ? undescribed(known, inner, root, `${path}/${key}`) : [`${path}/${key}`];
  });
}

/** The command lines of all processes below this one. */
function startedBy(root) {
  const parents = new Map();
  for (const entry of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, "utf8");
      parents.set(Number(entry), Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]));
    } catch {
      // The process ended meanwhile.
    }
  }
  const known = [root];
  for (const parent of known) {
    for (const [id, of] of parents) if (of === parent) known.push(id);
  }
  return known.slice(1).map(commandLine).filter(Boolean);
}

function commandLine(id) {
  try {
    return readFileSync(`/proc/${id}/cmdline`, "utf8").replaceAll("\0", " ");
  } catch {
    return "";
  }
}

function builds() {
  return readdirSync("/proc").some((id) => /^\d+$/.test(id) && commandLine(id).startsWith(`sleep ${job.marker}`));
}

async function within(seconds, what, holds) {
  const start = Date.now();
  while (!holds()) {
    assert.ok(Date.now() - start < seconds * 1000, `${what}: not within ${seconds} s`);
    await sleep(20);
  }
}

// ---- the tasks

/** Calls every tool once with success and once with failure, and reads progress and a build's log. */
async function tour({ client, call, validator }) {
  assert.equal(client.getServerVersion()?.name, "pantheros");
  assert.match(client.getInstructions() ?? "", /list_hosts/);

  const { tools } = await client.listTools();
  assert.deepEqual(tools.map((tool) => tool.name).sort(), TOOLS.sort());
  const schemas = new Map(tools.map((tool) => [tool.name, tool.outputSchema]));

  /** Calls a tool; the SDK checks the answer, and we check what it would let pass. */
  async function answer(name, args, options) {
    const result = await call(name, args, options);
    const what = `${name} ${JSON.stringify(args)}: ${JSON.stringify(result).slice(0, 600)}`;
    assert.equal(result.content?.[0]?.type, "text", what);
    assert.ok(result.structuredContent, what);
    // v2 does not validate the answers of failed calls.
    const valid = validator.getValidator(schemas.get(name))(result.structuredContent);
    assert.ok(valid.valid, `${valid.errorMessage}: ${what}`);
    // To keep the list of tools small, schemas omit an error's further fields, which the instructions describe, and the
    // counters of omitted list entries, whose names explain them.
    const more = undescribed(schemas.get(name), result.structuredContent).filter(
      (path) => !path.includes("/error/") && !path.includes("/more_"),
    );
    assert.deepEqual(more, [], what);
    return { ...result, what };
  }
  async function succeeds(name, args, options) {
    const result = await answer(name, args, options);
    assert.ok(!result.isError, result.what);
    return result.structuredContent;
  }
  async function fails(name, args, code) {
    const result = await answer(name, args);
    assert.equal(result.isError, true, result.what);
    assert.ok(result.content[0].text.length > 10, result.what);
    if (code) assert.equal(result.structuredContent.error.code, code, result.what);
    return result.structuredContent;
  }

  const { hosts } = await succeeds("list_hosts", {});
  assert.ok(hosts.some((host) => host.name === "web"));
  await fails("list_hosts", { limit: 0 }, "invalid_input");
  await succeeds("flake_check", { host: "web" });
  const all = await fails("flake_check", {});
  assert.ok(all.counts.failed > 0 && all.outputs[0].error.file, JSON.stringify(all.outputs[0]));
  await succeeds("build_host", { host: "web", dry_run: true });
  await fails("build_host", { host: "wbe" }, "unknown_host");
  const { shells } = await succeeds("list_devshells", {});
  assert.ok(shells.some((shell) => shell.status === "failed" && shell.error));
  await fails("list_devshells", { cursor: "guess" }, "invalid_input");
  const { inputs } = await succeeds("flake_inputs", {});
  assert.deepEqual(inputs, []);
  await fails("flake_inputs", { cursor: "guess" }, "invalid_input");
  const { disks, mounts } = await succeeds("inspect_disko", { host: "db" });
  assert.ok(disks.length >= 2 && mounts.some((mount) => mount.mountpoint === "/"), JSON.stringify({ disks, mounts }));
  await fails("inspect_disko", { host: "nowhere" }, "unknown_host");
  const { results } = await succeeds("nix_search", { query: "purpose" });
  assert.ok(results.length > 0);
  await fails("nix_search", { query: "" }, "invalid_input");
  const explained = await succeeds("explain_option", { host: "web", option: "services.nginx.enable" });
  assert.ok(explained.value === "true" && explained.defined_in[0].line > 0, JSON.stringify(explained));
  await fails("explain_option", { host: "web", option: "services.ngix" }, "unknown_option");
  const evaluated = await succeeds("evaluate", { host: "web", attr: "services.nginx.enable", apply: "on: !on" });
  assert.equal(evaluated.value, false, JSON.stringify(evaluated));
  await fails("evaluate", { host: "web", attr: "services.ngix" }, "missing_attribute");
  const { rows } = await succeeds("fleet_view", { view: "ports" });
  assert.ok(rows.some((row) => row.port === 443 && row.reach === "everyone"), JSON.stringify(rows));
  await fails("fleet_view", { view: "access", host: "nowhere" }, "unknown_host");
  await fails("host_status", { host: "nowhere" }, "unknown_host");
  await fails("list_generations", { host: "nowhere" }, "unknown_host");
  await fails("plan_deploy", { hosts: ["nowhere"] }, "unknown_host");
  await fails("deploy", { plan_id: `plan-${"a".repeat(26)}` }, "unknown_plan");
  await fails("deploy", { plan_id: `plan-${"a".repeat(26)}`, approved: true }, "invalid_input");
  await fails("rollback_host", { host: "nowhere" }, "unknown_host");
  await assert.rejects(call("list_host", {}), /list_hosts/);

  const told = [];
  const { out_path } = await succeeds("build_host", { host: "web" }, { onprogress: (progress) => told.push(progress) });
  assert.match(out_path, /^\/nix\/store\//);
  assert.ok(told.length > 0 && told.every(({ message }) => message), JSON.stringify(told));
  assert.ok(told.every(({ progress }, at) => at === 0 || progress > told[at - 1].progress), JSON.stringify(told));

  await fails("flake_check", { build: true });
  const { resources } = await client.listResources();
  const log = resources.find((resource) => resource.uri.includes("fails-on-purpose"));
  assert.ok(log, JSON.stringify(resources));
  const { contents } = await client.readResource({ uri: log.uri });
  assert.equal(contents[0].uri, log.uri);
  assert.ok(contents[0].text.length > 20, JSON.stringify(contents));
  const { resourceTemplates } = await client.listResourceTemplates();
  assert.equal(resourceTemplates[0].uriTemplate, "pantheros://log/{derivation}");
  await assert.rejects(client.readResource({ uri: "pantheros://log/nonsense" }), /no resource/);
}

/** Cancelling a call during its build ends the build, and nothing else. */
async function cancel({ client, call }, server) {
  for (let round = 0; round < 2; round += 1) {
    const taken = new AbortController();
    const told = [];
    const running = call("build_host", { host: "slow" }, { signal: taken.signal, onprogress: (progress) => told.push(progress) });
    // The rejection is checked only after the cancellation.
    running.catch(() => {});
    await within(60, "the build to begin", builds);
    taken.abort("a test");
    await assert.rejects(running);
    await within(60, "the builder to end", () => !builds());
    await within(60, "what the server started to end", () => startedBy(server).length === 0);
    assert.ok(told.length > 0);
    const { structuredContent } = await call("list_hosts", {});
    assert.deepEqual(structuredContent.hosts.map((host) => host.name), ["chatty", "slow"]);
  }
}

const generation = generations[job.sdk]();
const wire = transport(generation.transports);
const { client } = generation;
client.onerror = (error) => {
  // Also called for streams that were closed on purpose. A real failure fails a check.
  console.error(`client: ${error.message}`);
};
try {
  await client.connect(wire);
  if (job.sdk === "v2") {
    assert.equal(client.getNegotiatedProtocolVersion(), job.version);
    assert.equal(client.getProtocolEra(), job.era);
  } else if (job.transport === "http") {
    assert.equal(wire.protocolVersion, job.version);
  }
  await { tour, cancel }[job.task](generation, job.pid ?? wire.pid);
} finally {
  await client.close();
}
