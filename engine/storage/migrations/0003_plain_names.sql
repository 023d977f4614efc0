-- rename_story_json and rename_kind are functions of engine.storage.migrations.plain_names.
ALTER TABLE runs RENAME COLUMN out TO output_folder;
ALTER TABLE runs RENAME COLUMN story TO story_json;
UPDATE runs SET story_json = rename_story_json(story_json);

ALTER TABLE refers RENAME TO run_references;
ALTER TABLE run_references RENAME COLUMN run TO run_id;
ALTER TABLE run_references RENAME COLUMN what TO kind;

ALTER TABLE timings RENAME COLUMN work TO work_units;
ALTER TABLE timings RENAME COLUMN bytes TO output_bytes;
UPDATE timings SET kind = rename_kind(kind);

ALTER TABLE economies RENAME TO memory_modes;
ALTER TABLE memory_modes RENAME COLUMN economy TO mode;
ALTER TABLE memory_modes RENAME COLUMN at TO updated;

ALTER TABLE stories RENAME COLUMN told TO story_json;
ALTER TABLE stories RENAME COLUMN extra TO client_data;
ALTER TABLE stories RENAME COLUMN film TO film_digest;
ALTER TABLE stories RENAME COLUMN film_number TO film_version;
ALTER TABLE stories RENAME COLUMN webhook TO webhook_url;
UPDATE stories SET story_json = rename_story_json(story_json);

ALTER TABLE work RENAME TO jobs;
ALTER TABLE jobs RENAME COLUMN number TO id;
ALTER TABLE jobs RENAME COLUMN story TO story_id;
ALTER TABLE jobs RENAME COLUMN goal TO target;
ALTER TABLE jobs RENAME COLUMN told TO story_json;
ALTER TABLE jobs RENAME COLUMN word TO code;
ALTER TABLE jobs RENAME COLUMN ended TO finished_at;
UPDATE jobs SET story_json = rename_story_json(story_json) WHERE story_json IS NOT NULL;
DROP INDEX work_of_story;
DROP INDEX work_to_do;
CREATE INDEX jobs_by_story ON jobs (story_id, id DESC);
CREATE INDEX jobs_queued ON jobs (priority DESC, id) WHERE state = 'queued';

ALTER TABLE deaths RENAME TO crash_counts;
ALTER TABLE crash_counts RENAME COLUMN work TO job_id;
ALTER TABLE crash_counts RENAME COLUMN times TO crashes;

ALTER TABLE deliveries RENAME TO webhook_deliveries;
ALTER TABLE webhook_deliveries RENAME COLUMN story TO story_id;
ALTER TABLE webhook_deliveries RENAME COLUMN tries TO attempts;
ALTER TABLE webhook_deliveries RENAME COLUMN due TO due_at;
UPDATE webhook_deliveries SET state = 'failed' WHERE state = 'given up';
DROP INDEX deliveries_due;
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (due_at) WHERE state = 'waiting';

ALTER TABLE credits RENAME COLUMN work TO job_id;
ALTER TABLE credits RENAME COLUMN story TO story_id;
ALTER TABLE credits RENAME COLUMN aside TO reserved;
DROP INDEX credits_of_owner;
DROP INDEX credits_of_story;
CREATE INDEX credits_by_owner ON credits (owner);
CREATE INDEX credits_by_story ON credits (story_id);

ALTER TABLE answers RENAME TO idempotency_keys;
ALTER TABLE idempotency_keys RENAME COLUMN request TO fingerprint;
