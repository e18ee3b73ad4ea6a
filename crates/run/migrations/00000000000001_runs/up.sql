-- Times are microseconds since 1970-01-01T00:00:00Z. Texts called JSON are what serde writes.

CREATE TABLE runs (
    -- AUTOINCREMENT: the number of a run that retention removed is never given to another.
    id       INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    job      TEXT NOT NULL,
    target   TEXT NOT NULL,
    holder   TEXT NOT NULL, -- JSON
    started  INTEGER NOT NULL,
    plan     TEXT NOT NULL, -- JSON
    finished INTEGER,
    outcome  TEXT,          -- JSON
    CHECK ((finished IS NULL) = (outcome IS NULL))
) STRICT;

CREATE TABLE events (
    run  INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    seq  INTEGER NOT NULL,  -- 0, 1, 2, ... within the run
    at   INTEGER NOT NULL,
    body TEXT NOT NULL,     -- JSON
    PRIMARY KEY (run, seq)
) STRICT, WITHOUT ROWID;
