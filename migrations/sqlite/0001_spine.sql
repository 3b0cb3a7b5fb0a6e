-- The store of one machine. Times are milliseconds since 1970 UTC; words are those of the code.
-- Personal data stands in appointment_person and message_person only, so that erasing is deleting;
-- key_id names the key a row is encrypted with (NULL: plain).

-- A node that does not know `reads` touches nothing; `writes` is the newest migration applied.
CREATE TABLE schema (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  writes INTEGER NOT NULL,
  reads INTEGER NOT NULL
) STRICT;

CREATE TABLE meta (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT;

CREATE TABLE secret (
  name TEXT PRIMARY KEY,
  value BLOB NOT NULL CHECK (length(value) = 32)
) STRICT;

-- beat_at and started_at are the database's own clock.
CREATE TABLE node (
  name TEXT PRIMARY KEY,
  started_at INTEGER NOT NULL,
  beat_at INTEGER NOT NULL
) STRICT;

-- reader, a process of that node told apart by life, may read it until lease_until (the database's own clock).
CREATE TABLE source (
  name TEXT PRIMARY KEY,
  baseline INTEGER NOT NULL DEFAULT 0,
  snapshot_at INTEGER,
  row_count INTEGER NOT NULL DEFAULT 0,
  faults INTEGER NOT NULL DEFAULT 0,
  mapping TEXT,
  reader TEXT,
  life INTEGER,
  fence INTEGER NOT NULL DEFAULT 0,
  lease_until INTEGER
) STRICT;

-- What is not understood now; key is '' where the row's key cannot be read. Never personal data.
CREATE TABLE fault (
  source TEXT NOT NULL REFERENCES source (name),
  key TEXT NOT NULL,
  place TEXT NOT NULL,
  problem TEXT NOT NULL,
  since INTEGER NOT NULL,
  PRIMARY KEY (source, key, place)
) STRICT, WITHOUT ROWID;

-- base_*: the booking as it was first seen, at seen_at. occasions: what a person asked for and is yet to be written.
--  fingerprint goes when the person's data goes.
CREATE TABLE appointment (
  id INTEGER PRIMARY KEY,
  source TEXT NOT NULL REFERENCES source (name),
  key TEXT NOT NULL,
  revision INTEGER NOT NULL,
  standing TEXT NOT NULL,
  start_at INTEGER NOT NULL,
  office TEXT NOT NULL,
  district TEXT,
  service TEXT NOT NULL,
  base_standing TEXT NOT NULL,
  base_start_at INTEGER NOT NULL,
  base_office TEXT NOT NULL,
  fingerprint BLOB CHECK (fingerprint IS NULL OR length(fingerprint) = 16),
  absent INTEGER NOT NULL DEFAULT 0,
  occasions TEXT NOT NULL DEFAULT '',
  seen_at INTEGER NOT NULL,
  UNIQUE (source, key)
) STRICT;
CREATE INDEX appointment_start ON appointment (source, start_at);
CREATE INDEX appointment_by_key ON appointment (key);
CREATE INDEX appointment_asked ON appointment (id) WHERE occasions <> '';
CREATE INDEX appointment_to_erase ON appointment (start_at) WHERE fingerprint IS NOT NULL;

-- about: what is said of the appointment beside its state, in words; the same in each of its rows.
-- Of phone and phone_unusable exactly one is set; likewise for email.
CREATE TABLE appointment_person (
  appointment INTEGER NOT NULL REFERENCES appointment (id),
  place INTEGER NOT NULL,
  role TEXT NOT NULL,
  phone TEXT,
  phone_unusable TEXT,
  email TEXT,
  email_unusable TEXT,
  language TEXT,
  about TEXT NOT NULL DEFAULT '',
  key_id INTEGER,
  PRIMARY KEY (appointment, place),
  CHECK ((phone IS NULL) <> (phone_unusable IS NULL)),
  CHECK ((email IS NULL) <> (email_unusable IS NULL))
) STRICT, WITHOUT ROWID;

-- canary: the batch of its earliest people, where a person let them go before the rest.
CREATE TABLE batch (
  id INTEGER PRIMARY KEY,
  source TEXT NOT NULL REFERENCES source (name),
  braked TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('held', 'releasing', 'released', 'discarded', 'dissolved')),
  version INTEGER NOT NULL,
  changes INTEGER NOT NULL,
  known INTEGER NOT NULL,
  held_at INTEGER NOT NULL,
  canary INTEGER REFERENCES batch (id),
  released_at INTEGER
) STRICT;
CREATE INDEX batch_open ON batch (id) WHERE state IN ('held', 'releasing');

-- Changes of one poll that count against the limits of the hour: those that flowed (batch is NULL),
-- and those that these limits held. Kept for an hour.
CREATE TABLE found (
  source TEXT NOT NULL REFERENCES source (name),
  at INTEGER NOT NULL,
  changes INTEGER NOT NULL,
  batch INTEGER REFERENCES batch (id)
) STRICT;
CREATE INDEX found_lately ON found (source, at);

-- reference is NULL once the notice is erased. climb: every open rung ended without telling. promises: an invitation.
-- was_in: the batches it was in before, each between two commas; a hold on one still covers it.
CREATE TABLE notice (
  id INTEGER PRIMARY KEY,
  appointment INTEGER NOT NULL REFERENCES appointment (id),
  revision INTEGER NOT NULL,
  purpose TEXT NOT NULL,
  occasion INTEGER NOT NULL,
  role TEXT NOT NULL,
  kind TEXT NOT NULL,
  old_standing TEXT NOT NULL,
  old_start_at INTEGER NOT NULL,
  old_office TEXT NOT NULL,
  new_standing TEXT NOT NULL,
  new_start_at INTEGER NOT NULL,
  new_office TEXT NOT NULL,
  district TEXT NOT NULL,
  office TEXT NOT NULL,
  ladder TEXT NOT NULL,
  on_unknown TEXT NOT NULL,
  reference TEXT UNIQUE,
  due_by INTEGER NOT NULL,
  not_after INTEGER NOT NULL,
  superseded INTEGER NOT NULL DEFAULT 0,
  climb INTEGER NOT NULL DEFAULT 0,
  promises INTEGER NOT NULL DEFAULT 0,
  ended_at INTEGER,
  batch INTEGER REFERENCES batch (id),
  was_in TEXT NOT NULL DEFAULT '',
  UNIQUE (appointment, revision, purpose, occasion, role)
) STRICT;
CREATE INDEX notice_due ON notice (due_by);
CREATE INDEX notice_climb ON notice (appointment) WHERE climb = 1;
CREATE INDEX notice_promises ON notice (appointment) WHERE promises = 1;
CREATE INDEX notice_batch ON notice (batch) WHERE batch IS NOT NULL;
CREATE INDEX notice_to_erase ON notice (ended_at) WHERE ended_at IS NOT NULL AND reference IS NOT NULL;

-- machines: how often a caller reached only an answering machine, last at machine_at.
-- due_by and not_after repeat the notice's, for the claim's index. lease_until and dedup_until are
-- the database's own clock. may_be_out: some attempt is not certainly without effect. accepted: a
-- gateway took it. gateway, quarantine, lookup (milliseconds after the lease) and dedup_until are
-- those of the last attempt. repeat: ready once more, at that gateway and before dedup_until only.
-- send_hours: when it may leave (NULL: at any hour); open_until: the end of the opening in which it may
-- leave next (NULL: none ends it, or its deadline does not wait). last_try: the call list is reached too
-- late if the rung is tried after this. climbed: opened because the rungs before it had ended untold. lookup: the longest of any gateway
-- that may have it. bundle: the message whose hand-over may speak for this one too, itself included;
-- others: for how many it speaks. together: so it was at its last hand-over.
CREATE TABLE message (
  id INTEGER PRIMARY KEY,
  notice INTEGER NOT NULL REFERENCES notice (id),
  rung INTEGER NOT NULL,
  channel TEXT NOT NULL,
  state TEXT NOT NULL,
  reason TEXT,
  told_on TEXT NOT NULL,
  gateway_key TEXT NOT NULL UNIQUE,
  sender TEXT NOT NULL,
  encoding TEXT,
  units INTEGER,
  parts INTEGER,
  due_by INTEGER NOT NULL,
  not_after INTEGER NOT NULL,
  not_before INTEGER NOT NULL,
  send_hours TEXT,
  open_until INTEGER,
  give_up_at INTEGER NOT NULL,
  last_try INTEGER,
  fence INTEGER NOT NULL DEFAULT 0,
  attempts INTEGER NOT NULL DEFAULT 0,
  lease_until INTEGER,
  node TEXT,
  gateway TEXT,
  quarantine INTEGER NOT NULL DEFAULT 0,
  lookup INTEGER NOT NULL DEFAULT 0,
  dedup_until INTEGER,
  repeat INTEGER NOT NULL DEFAULT 0,
  climbed INTEGER NOT NULL DEFAULT 0,
  report_by INTEGER,
  first_attempt_at INTEGER,
  told_at INTEGER,
  may_be_out INTEGER NOT NULL DEFAULT 0,
  accepted INTEGER NOT NULL DEFAULT 0,
  possible_duplicate INTEGER NOT NULL DEFAULT 0,
  machines INTEGER NOT NULL DEFAULT 0,
  machine_at INTEGER,
  bundle INTEGER,
  others INTEGER NOT NULL DEFAULT 0,
  together INTEGER NOT NULL DEFAULT 0,
  UNIQUE (notice, rung)
) STRICT;
CREATE INDEX message_claim ON message (channel, due_by, id, not_before, not_after, open_until) WHERE state = 'ready';
CREATE INDEX message_next ON message (channel, not_before) WHERE state = 'ready';
CREATE INDEX message_expiry ON message (not_after) WHERE state IN ('ready', 'held');
CREATE INDEX message_give_up ON message (give_up_at) WHERE state = 'ready';
CREATE INDEX message_open_until ON message (open_until) WHERE state = 'ready' AND open_until IS NOT NULL;
CREATE INDEX message_lease ON message (lease_until) WHERE state = 'sending';
CREATE INDEX message_sending ON message (notice) WHERE state = 'sending';
CREATE INDEX message_unknown ON message (lease_until + quarantine + lookup) WHERE state = 'unknown';
CREATE INDEX message_to_ask ON message (lease_until + quarantine) WHERE state = 'unknown' AND lookup > 0;
CREATE INDEX message_repeat ON message (dedup_until) WHERE state = 'ready' AND repeat = 1;
CREATE INDEX message_report_by ON message (report_by) WHERE state = 'accepted';
CREATE INDEX message_held ON message (notice) WHERE state = 'held';
CREATE INDEX message_bundle ON message (bundle) WHERE bundle IS NOT NULL;
CREATE INDEX message_stopped ON message (id) WHERE state = 'held' AND reason = 'operator';

-- shared: the text of its bundle.
CREATE TABLE message_person (
  message INTEGER PRIMARY KEY REFERENCES message (id),
  address TEXT,
  address_kind TEXT NOT NULL CHECK (address_kind IN ('phone', 'email', 'none')),
  body BLOB NOT NULL,
  shared BLOB,
  key_id INTEGER
) STRICT;

-- Append-only: the intent is written first; its outcome once, and again only where an unknown
-- becomes certain. Every word that came is in history. nonce: drawn for its claim; a number that an
-- older backup gives out once more has another one. carrier: the attempt with whose hand-over it left.
CREATE TABLE attempt (
  id INTEGER PRIMARY KEY,
  nonce INTEGER NOT NULL,
  message INTEGER NOT NULL REFERENCES message (id),
  no INTEGER NOT NULL,
  fence INTEGER NOT NULL,
  gateway TEXT NOT NULL,
  node TEXT NOT NULL,
  intent_at INTEGER NOT NULL,
  outcome TEXT,
  cause TEXT,
  gateway_id TEXT,
  settled_at INTEGER,
  carrier INTEGER,
  UNIQUE (message, no)
) STRICT;

-- One row per claim that took something, so that a node which does not know whether its claim was
-- committed can disown it: whoever inserts the row first has decided. at is the database's own clock.
CREATE TABLE claim (
  node TEXT NOT NULL,
  nonce INTEGER NOT NULL,
  at INTEGER NOT NULL,
  disowned INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (node, nonce)
) STRICT, WITHOUT ROWID;
CREATE INDEX claim_to_forget ON claim (at);
CREATE INDEX attempt_carried ON attempt (carrier) WHERE carrier IS NOT NULL;
CREATE INDEX attempt_open ON attempt (nonce) WHERE outcome IS NULL;

-- What is left of each gateway's rate, for all nodes: thousandths of tokens at that moment of the
-- database's own clock. A gateway that was never used, or has no rate, has no row.
CREATE TABLE bucket (
  gateway TEXT PRIMARY KEY,
  thousandths INTEGER NOT NULL,
  at INTEGER NOT NULL
) STRICT;

-- Every report as it came, once. standing: parked (no such attempt yet), waiting (for its attempt's
-- outcome), used, let_go (parked for too long). attempt has no foreign key because a parked report's
-- attempt is not there.
CREATE TABLE report (
  id INTEGER PRIMARY KEY,
  attempt INTEGER NOT NULL,
  nonce INTEGER NOT NULL,
  state TEXT NOT NULL,
  detail TEXT NOT NULL,
  at INTEGER NOT NULL,
  standing TEXT NOT NULL CHECK (standing IN ('parked', 'waiting', 'used', 'let_go')),
  UNIQUE (attempt, nonce, state, detail)
) STRICT;
CREATE INDEX report_parked ON report (attempt, nonce) WHERE standing = 'parked';
CREATE INDEX report_to_let_go ON report (at) WHERE standing = 'parked';

CREATE TABLE act (
  idempotency_key TEXT PRIMARY KEY,
  actor TEXT NOT NULL,
  scope TEXT NOT NULL DEFAULT 'all',
  reason TEXT NOT NULL,
  at INTEGER NOT NULL,
  request TEXT NOT NULL,
  answer INTEGER NOT NULL
) STRICT;

-- max: changes that pass the brake on its account; admitted: how many have.
CREATE TABLE closing (
  id INTEGER PRIMARY KEY,
  offices TEXT NOT NULL,
  kinds TEXT NOT NULL,
  first_day TEXT NOT NULL,
  last_day TEXT NOT NULL,
  kind TEXT NOT NULL,
  next TEXT NOT NULL,
  reason TEXT NOT NULL,
  max INTEGER NOT NULL,
  admitted INTEGER NOT NULL DEFAULT 0,
  actor TEXT NOT NULL,
  added_at INTEGER NOT NULL,
  ended_at INTEGER
) STRICT;

-- What a person has stopped. name: the office, the channel or the batch's number.
CREATE TABLE hold (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('all', 'office', 'channel', 'batch')),
  name TEXT NOT NULL,
  reason TEXT NOT NULL,
  actor TEXT NOT NULL,
  added_at INTEGER NOT NULL,
  lifted_at INTEGER
) STRICT;
CREATE INDEX hold_standing ON hold (id) WHERE lifted_at IS NULL;

-- Waves of invitations to book again. people: how many were invited.
CREATE TABLE wave (
  id INTEGER PRIMARY KEY,
  offices TEXT NOT NULL,
  services TEXT NOT NULL,
  capacity INTEGER NOT NULL,
  until TEXT NOT NULL,
  people INTEGER NOT NULL,
  reason TEXT NOT NULL,
  actor TEXT NOT NULL,
  started_at INTEGER NOT NULL
) STRICT;

-- Signed lists: what they name is cancelled until they are lifted. digest: of the file's content.
CREATE TABLE list (
  id INTEGER PRIMARY KEY,
  file TEXT NOT NULL,
  digest TEXT NOT NULL,
  signed_by TEXT NOT NULL,
  actor TEXT NOT NULL,
  reason TEXT NOT NULL,
  added_at INTEGER NOT NULL,
  lifted_at INTEGER
) STRICT;

CREATE TABLE list_entry (
  list INTEGER NOT NULL REFERENCES list (id),
  source TEXT NOT NULL,
  key TEXT NOT NULL,
  PRIMARY KEY (source, key, list)
) STRICT, WITHOUT ROWID;

-- What somebody must be told of. node: who sees it; '' where every node sees the same. tell_at: told
-- again from then on, until somebody has acknowledged it. Never personal data.
CREATE TABLE alarm (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  subject TEXT NOT NULL,
  node TEXT NOT NULL,
  text TEXT NOT NULL,
  amount INTEGER NOT NULL,
  since INTEGER NOT NULL,
  ended_at INTEGER,
  told INTEGER NOT NULL DEFAULT 0,
  tell_at INTEGER NOT NULL,
  acked_at INTEGER,
  acked_by TEXT
) STRICT;
CREATE UNIQUE INDEX alarm_standing ON alarm (kind, subject, node) WHERE ended_at IS NULL;

-- One row per transition and per human act. request is the act's idempotency key.
CREATE TABLE history (
  id INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  actor TEXT NOT NULL,
  request TEXT,
  appointment INTEGER,
  notice INTEGER,
  message INTEGER,
  batch INTEGER,
  channel TEXT,
  district TEXT,
  office TEXT,
  event TEXT NOT NULL,
  from_state TEXT,
  to_state TEXT,
  detail TEXT NOT NULL
) STRICT;
CREATE INDEX history_appointment ON history (appointment, id) WHERE appointment IS NOT NULL;
CREATE INDEX history_batch ON history (batch, id) WHERE appointment IS NULL AND batch IS NOT NULL;

CREATE TRIGGER history_is_kept_1 BEFORE UPDATE ON history
BEGIN SELECT RAISE(ABORT, 'history is append-only'); END;
CREATE TRIGGER history_is_kept_2 BEFORE DELETE ON history
BEGIN SELECT RAISE(ABORT, 'history is append-only'); END;
CREATE TRIGGER attempt_is_kept BEFORE DELETE ON attempt
BEGIN SELECT RAISE(ABORT, 'attempts are append-only'); END;

INSERT INTO meta (name, value) VALUES ('store_id', lower(hex(randomblob(16))));
INSERT INTO schema (one, writes, reads) VALUES (1, 1, 1);
