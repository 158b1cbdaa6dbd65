-- The tables of an index. A file of another version is built anew.
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE entries (
  id INTEGER PRIMARY KEY,
  -- In lower case, for exact matches: the attribute path or the path of the option, its last part, the package's name and
  -- its main program.
  path_key TEXT NOT NULL,
  leaf_key TEXT NOT NULL,
  pname_key TEXT,
  program_key TEXT,
  entry TEXT NOT NULL
);
CREATE INDEX entries_path ON entries (path_key);
-- Those that lie in no set.
CREATE INDEX entries_top ON entries (path_key) WHERE path_key = leaf_key;
CREATE INDEX entries_leaf ON entries (leaf_key);
CREATE INDEX entries_pname ON entries (pname_key) WHERE pname_key IS NOT NULL;
CREATE INDEX entries_program ON entries (program_key) WHERE program_key IS NOT NULL;

-- Attributes that are no packages; `message` is that of the error which replaces a removed one.
CREATE TABLE others (path_key TEXT PRIMARY KEY, path TEXT NOT NULL, state TEXT NOT NULL, message TEXT) WITHOUT ROWID;

-- The parts of the paths of options, in lower case, to correct the spelling of a path.
CREATE TABLE parts (part TEXT PRIMARY KEY) WITHOUT ROWID;

-- What could not be read.
CREATE TABLE unread (part TEXT NOT NULL);

-- The words of each entry; `rowid` is its id.
CREATE VIRTUAL TABLE words USING fts5 (
  name, program, description, content = '', columnsize = 1, detail = full, prefix = '2 3',
  tokenize = "unicode61 remove_diacritics 2"
);
-- The words that very many entries have.
CREATE TABLE common_words (word TEXT PRIMARY KEY) WITHOUT ROWID;
-- The names of entries in pieces of three letters, for suggestions; `rowid` is the id of the entry.
CREATE VIRTUAL TABLE trigrams USING fts5 (name, content = '', columnsize = 0, detail = none, tokenize = "trigram");
-- How many entries have each three letters, which full-text tables tell only by reading all of them.
CREATE TABLE trigram_counts (trigram TEXT PRIMARY KEY, entries INTEGER NOT NULL) WITHOUT ROWID;
