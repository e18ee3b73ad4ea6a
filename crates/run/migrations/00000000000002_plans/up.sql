-- A plan may be a hundred times as large as everything else of its run, and is of use for a shorter
-- time. Beside the runs it goes without leaving holes among them. Plans from before stay in `runs`
-- until they are forgotten, so that this update needs neither time nor room; `null` there says that
-- there is none.
CREATE TABLE plans (
    run  INTEGER PRIMARY KEY NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    plan TEXT NOT NULL -- JSON
) STRICT;

-- Whoever asks for the last run, for those that died, or for those that are old reads these and not
-- every run there ever was. They end with the run's number by themselves.
CREATE INDEX runs_of ON runs (target, job);
CREATE INDEX runs_open ON runs (target, job) WHERE finished IS NULL;
CREATE INDEX runs_finished ON runs (finished);
CREATE INDEX runs_planned ON runs (finished) WHERE plan <> 'null';
