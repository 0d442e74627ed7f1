// Prisma's own schema engine, its WebAssembly build, over one folder of migrations and one database:
//   node engine.mjs <modules> <database url> <folder> status|deploy|applied <name>|rolled-back <name>
// Prints one JSON object. The engine is what `prisma migrate` calls; its native build cannot be had from the registry.
import { createRequire } from "node:module";
import { readFileSync, readdirSync, existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [modules, url, folder, command, name] = process.argv.slice(2);
const require = createRequire(join(modules, "package.json"));
const engineFolder = join(modules, "node_modules/@prisma/schema-engine-wasm");
const background = await import(pathToFileURL(join(engineFolder, "schema_engine_bg.js")).href);
const wasm = new WebAssembly.Module(readFileSync(join(engineFolder, "schema_engine_bg.wasm")));
const instance = new WebAssembly.Instance(wasm, { "./schema_engine_bg.js": background });
background.__wbg_set_wasm(instance.exports);
instance.exports.__wbindgen_start();

const { PrismaPg } = require("@prisma/adapter-pg");
const { bindMigrationAwareSqlAdapterFactory } = require("@prisma/driver-adapter-utils");
const factory = new PrismaPg({ connectionString: url });
// The adapter cuts a script at each semicolon, in comments and functions too; the native engine sends it whole.
const connect = factory.connect.bind(factory);
factory.connect = async () => {
  const connection = await connect();
  connection.executeScript = async (script) => void (await connection.client.query(script));
  return connection;
};
const adapter = bindMigrationAwareSqlAdapterFactory(factory);

const directories = readdirSync(folder)
  .filter((each) => statSync(join(folder, each)).isDirectory())
  .sort()
  .map((each) => {
    const file = join(folder, each, "migration.sql");
    const content = existsSync(file)
      ? { tag: "ok", value: readFileSync(file, "utf8") }
      : { tag: "error", value: "not there" };
    return { path: each, migrationFile: { path: "migration.sql", content } };
  });
const lock = join(folder, "migration_lock.toml");
const migrationsList = {
  baseDir: folder,
  lockfile: { path: "./migration_lock.toml", content: existsSync(lock) ? readFileSync(lock, "utf8") : null },
  shadowDbInitScript: "",
  migrationDirectories: directories,
};
const filters = { externalTables: [], externalEnums: [] };
const datamodel = 'datasource db {\n  provider = "postgresql"\n}\n';

try {
  const engine = await background.SchemaEngine.new({ datamodels: [["schema.prisma", datamodel]] }, () => {}, adapter);
  const answers = {
    status: () => engine.diagnoseMigrationHistory({ migrationsList, optInToShadowDatabase: false, filters }),
    deploy: () => engine.applyMigrations({ migrationsList, filters }),
    applied: () => engine.markMigrationApplied({ migrationName: name, migrationsList }),
    "rolled-back": () => engine.markMigrationRolledBack({ migrationName: name }),
  };
  console.log(JSON.stringify(await answers[command]()));
  process.exit(0);
} catch (error) {
  console.log(JSON.stringify({ error: String(error.message ?? error), code: error.code ?? null }));
  process.exit(1);
}
