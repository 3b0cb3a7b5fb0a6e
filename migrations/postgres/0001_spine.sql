-- The store of many nodes: the tables of migrations/sqlite, column by column, so that both engines run the
-- same statements; a flag is 0 or 1 there and here. Times are milliseconds since 1970 UTC; words are those of the code.
-- Personal data stands in appointment_person and message_person only, so that erasing is deleting;
-- key_id names the key a row is encrypted with (NULL: plain).

-- A node that does not know `reads` touches nothing; `writes` is the newest migration applied.
CREATE TABLE schema (
  one bigint PRIMARY KEY CHECK (one = 1),
  writes bigint NOT NULL,
  reads bigint NOT NULL
);

CREATE TABLE meta (
  name text PRIMARY KEY,
  value text NOT NULL
);

CREATE TABLE secret (
  name text PRIMARY KEY,
  value bytea NOT NULL CHECK (length(value) = 32)
);

-- beat_at and started_at are the database's own clock.
CREATE TABLE node (
  name text PRIMARY KEY,
  started_at bigint NOT NULL,
  beat_at bigint NOT NULL
);

-- reader, a process of that node told apart by life, may read it until lease_until (the database's own clock).
CREATE TABLE source (
  name text PRIMARY KEY,
  baseline bigint NOT NULL DEFAULT 0,
  snapshot_at bigint,
  row_count bigint NOT NULL DEFAULT 0,
  faults bigint NOT NULL DEFAULT 0,
  mapping text,
  reader text,
  life bigint,
  fence bigint NOT NULL DEFAULT 0,
  lease_until bigint
);

-- What is not understood now; key is '' where the row's key cannot be read. Never personal data.
CREATE TABLE fault (
  source text NOT NULL REFERENCES source (name),
  key text NOT NULL,
  place text NOT NULL,
  problem text NOT NULL,
  since bigint NOT NULL,
  PRIMARY KEY (source, key, place)
);

-- base_*: the booking as it was first seen, at seen_at. occasions: what a person asked for and is yet to be written.
--  fingerprint goes when the person's data goes.
CREATE TABLE appointment (
  id bigint PRIMARY KEY,
  source text NOT NULL REFERENCES source (name),
  key text NOT NULL,
  revision bigint NOT NULL,
  standing text NOT NULL,
  start_at bigint NOT NULL,
  office text NOT NULL,
  district text,
  service text NOT NULL,
  base_standing text NOT NULL,
  base_start_at bigint NOT NULL,
  base_office text NOT NULL,
  fingerprint bytea CHECK (fingerprint IS NULL OR length(fingerprint) = 16),
  absent bigint NOT NULL DEFAULT 0,
  occasions text NOT NULL DEFAULT '',
  seen_at bigint NOT NULL,
  UNIQUE (source, key)
);
CREATE INDEX appointment_start ON appointment (source, start_at);
CREATE INDEX appointment_by_key ON appointment (key);
CREATE INDEX appointment_asked ON appointment (id) WHERE occasions <> '';
CREATE INDEX appointment_to_erase ON appointment (start_at) WHERE fingerprint IS NOT NULL;

-- about: what is said of the appointment beside its state, in words; the same in each of its rows.
-- Of phone and phone_unusable exactly one is set; likewise for email.
CREATE TABLE appointment_person (
  appointment bigint NOT NULL REFERENCES appointment (id),
  place bigint NOT NULL,
  role text NOT NULL,
  phone text,
  phone_unusable text,
  email text,
  email_unusable text,
  language text,
  about text NOT NULL DEFAULT '',
  key_id bigint,
  PRIMARY KEY (appointment, place),
  CHECK ((phone IS NULL) <> (phone_unusable IS NULL)),
  CHECK ((email IS NULL) <> (email_unusable IS NULL))
);

-- canary: the batch of its earliest people, where a person let them go before the rest.
CREATE TABLE batch (
  id bigint PRIMARY KEY,
  source text NOT NULL REFERENCES source (name),
  braked text NOT NULL,
  state text NOT NULL CHECK (state IN ('held', 'releasing', 'released', 'discarded', 'dissolved')),
  version bigint NOT NULL,
  changes bigint NOT NULL,
  known bigint NOT NULL,
  held_at bigint NOT NULL,
  canary bigint REFERENCES batch (id),
  released_at bigint
);
CREATE INDEX batch_open ON batch (id) WHERE state IN ('held', 'releasing');

-- Changes of one poll that count against the limits of the hour: those that flowed (batch is NULL),
-- and those that these limits held. Kept for an hour.
CREATE TABLE found (
  source text NOT NULL REFERENCES source (name),
  at bigint NOT NULL,
  changes bigint NOT NULL,
  batch bigint REFERENCES batch (id)
);
CREATE INDEX found_lately ON found (source, at);

-- reference is NULL once the notice is erased. climb: every open rung ended without telling. promises: an invitation.
-- was_in: the batches it was in before, each between two commas; a hold on one still covers it.
CREATE TABLE notice (
  id bigint PRIMARY KEY,
  appointment bigint NOT NULL REFERENCES appointment (id),
  revision bigint NOT NULL,
  purpose text NOT NULL,
  occasion bigint NOT NULL,
  role text NOT NULL,
  kind text NOT NULL,
  old_standing text NOT NULL,
  old_start_at bigint NOT NULL,
  old_office text NOT NULL,
  new_standing text NOT NULL,
  new_start_at bigint NOT NULL,
  new_office text NOT NULL,
  district text NOT NULL,
  office text NOT NULL,
  ladder text NOT NULL,
  on_unknown text NOT NULL,
  reference text UNIQUE,
  due_by bigint NOT NULL,
  not_after bigint NOT NULL,
  superseded bigint NOT NULL DEFAULT 0,
  climb bigint NOT NULL DEFAULT 0,
  promises bigint NOT NULL DEFAULT 0,
  ended_at bigint,
  batch bigint REFERENCES batch (id),
  was_in TEXT NOT NULL DEFAULT '',
  UNIQUE (appointment, revision, purpose, occasion, role)
);
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
  id bigint PRIMARY KEY,
  notice bigint NOT NULL REFERENCES notice (id),
  rung bigint NOT NULL,
  channel text NOT NULL,
  state text NOT NULL,
  reason text,
  told_on text NOT NULL,
  gateway_key text NOT NULL UNIQUE,
  sender text NOT NULL,
  encoding text,
  units bigint,
  parts bigint,
  due_by bigint NOT NULL,
  not_after bigint NOT NULL,
  not_before bigint NOT NULL,
  send_hours text,
  open_until bigint,
  give_up_at bigint NOT NULL,
  last_try bigint,
  fence bigint NOT NULL DEFAULT 0,
  attempts bigint NOT NULL DEFAULT 0,
  lease_until bigint,
  node text,
  gateway text,
  quarantine bigint NOT NULL DEFAULT 0,
  lookup bigint NOT NULL DEFAULT 0,
  dedup_until bigint,
  repeat bigint NOT NULL DEFAULT 0,
  climbed bigint NOT NULL DEFAULT 0,
  report_by bigint,
  first_attempt_at bigint,
  told_at bigint,
  may_be_out bigint NOT NULL DEFAULT 0,
  accepted bigint NOT NULL DEFAULT 0,
  possible_duplicate bigint NOT NULL DEFAULT 0,
  machines bigint NOT NULL DEFAULT 0,
  machine_at bigint,
  bundle bigint,
  others bigint NOT NULL DEFAULT 0,
  together bigint NOT NULL DEFAULT 0,
  UNIQUE (notice, rung)
);
CREATE INDEX message_claim ON message (channel, due_by, id, not_before, not_after, open_until) WHERE state = 'ready';
CREATE INDEX message_next ON message (channel, not_before) WHERE state = 'ready';
CREATE INDEX message_expiry ON message (not_after) WHERE state IN ('ready', 'held');
CREATE INDEX message_give_up ON message (give_up_at) WHERE state = 'ready';
CREATE INDEX message_open_until ON message (open_until) WHERE state = 'ready' AND open_until IS NOT NULL;
CREATE INDEX message_lease ON message (lease_until) WHERE state = 'sending';
CREATE INDEX message_sending ON message (notice) WHERE state = 'sending';
CREATE INDEX message_unknown ON message ((lease_until + quarantine + lookup)) WHERE state = 'unknown';
CREATE INDEX message_to_ask ON message ((lease_until + quarantine)) WHERE state = 'unknown' AND lookup > 0;
CREATE INDEX message_repeat ON message (dedup_until) WHERE state = 'ready' AND repeat = 1;
CREATE INDEX message_report_by ON message (report_by) WHERE state = 'accepted';
CREATE INDEX message_held ON message (notice) WHERE state = 'held';
CREATE INDEX message_bundle ON message (bundle) WHERE bundle IS NOT NULL;
CREATE INDEX message_stopped ON message (id) WHERE state = 'held' AND reason = 'operator';

-- shared: the text of its bundle.
CREATE TABLE message_person (
  message bigint PRIMARY KEY REFERENCES message (id),
  address text,
  address_kind text NOT NULL CHECK (address_kind IN ('phone', 'email', 'none')),
  body bytea NOT NULL,
  shared bytea,
  key_id bigint
);

-- Append-only: the intent is written first; its outcome once, and again only where an unknown
-- becomes certain. Every word that came is in history. nonce: drawn for its claim; a number that an
-- older backup gives out once more has another one. carrier: the attempt with whose hand-over it left.
CREATE TABLE attempt (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  nonce bigint NOT NULL,
  message bigint NOT NULL REFERENCES message (id),
  no bigint NOT NULL,
  fence bigint NOT NULL,
  gateway text NOT NULL,
  node text NOT NULL,
  intent_at bigint NOT NULL,
  outcome text,
  cause text,
  gateway_id text,
  settled_at bigint,
  carrier bigint,
  UNIQUE (message, no)
);

-- One row per claim that took something, so that a node which does not know whether its claim was
-- committed can disown it: whoever inserts the row first has decided. at is the database's own clock.
CREATE TABLE claim (
  node text NOT NULL,
  nonce bigint NOT NULL,
  at bigint NOT NULL,
  disowned bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (node, nonce)
);
CREATE INDEX claim_to_forget ON claim (at);
CREATE INDEX attempt_carried ON attempt (carrier) WHERE carrier IS NOT NULL;
CREATE INDEX attempt_open ON attempt (nonce) WHERE outcome IS NULL;

-- What is left of each gateway's rate, for all nodes: thousandths of tokens at that moment of the
-- database's own clock. A gateway that was never used, or has no rate, has no row.
CREATE TABLE bucket (
  gateway text PRIMARY KEY,
  thousandths bigint NOT NULL,
  at bigint NOT NULL
);

-- Every report as it came, once. standing: parked (no such attempt yet), waiting (for its attempt's
-- outcome), used, let_go (parked for too long). attempt has no foreign key because a parked report's
-- attempt is not there.
CREATE TABLE report (
  id bigint PRIMARY KEY,
  attempt bigint NOT NULL,
  nonce bigint NOT NULL,
  state text NOT NULL,
  detail text NOT NULL,
  at bigint NOT NULL,
  standing text NOT NULL CHECK (standing IN ('parked', 'waiting', 'used', 'let_go')),
  UNIQUE (attempt, nonce, state, detail)
);
CREATE INDEX report_parked ON report (attempt, nonce) WHERE standing = 'parked';
CREATE INDEX report_to_let_go ON report (at) WHERE standing = 'parked';

CREATE TABLE act (
  idempotency_key text PRIMARY KEY,
  actor text NOT NULL,
  scope text NOT NULL DEFAULT 'all',
  reason text NOT NULL,
  at bigint NOT NULL,
  request text NOT NULL,
  answer bigint NOT NULL
);

-- max: changes that pass the brake on its account; admitted: how many have.
CREATE TABLE closing (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  offices text NOT NULL,
  kinds text NOT NULL,
  first_day text NOT NULL,
  last_day text NOT NULL,
  kind text NOT NULL,
  next text NOT NULL,
  reason text NOT NULL,
  max bigint NOT NULL,
  admitted bigint NOT NULL DEFAULT 0,
  actor text NOT NULL,
  added_at bigint NOT NULL,
  ended_at bigint
);

-- What a person has stopped. name: the office, the channel or the batch's number.
CREATE TABLE hold (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind text NOT NULL CHECK (kind IN ('all', 'office', 'channel', 'batch')),
  name text NOT NULL,
  reason text NOT NULL,
  actor text NOT NULL,
  added_at bigint NOT NULL,
  lifted_at bigint
);
CREATE INDEX hold_standing ON hold (id) WHERE lifted_at IS NULL;

-- Waves of invitations to book again. people: how many were invited.
CREATE TABLE wave (
  id bigint PRIMARY KEY,
  offices text NOT NULL,
  services text NOT NULL,
  capacity bigint NOT NULL,
  until text NOT NULL,
  people bigint NOT NULL,
  reason text NOT NULL,
  actor text NOT NULL,
  started_at bigint NOT NULL
);

-- Signed lists: what they name is cancelled until they are lifted. digest: of the file's content.
CREATE TABLE list (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  file text NOT NULL,
  digest text NOT NULL,
  signed_by text NOT NULL,
  actor text NOT NULL,
  reason text NOT NULL,
  added_at bigint NOT NULL,
  lifted_at bigint
);

CREATE TABLE list_entry (
  list bigint NOT NULL REFERENCES list (id),
  source text NOT NULL,
  key text NOT NULL,
  PRIMARY KEY (source, key, list)
);

-- What somebody must be told of. node: who sees it; '' where every node sees the same. tell_at: told
-- again from then on, until somebody has acknowledged it. Never personal data.
CREATE TABLE alarm (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind text NOT NULL,
  subject text NOT NULL,
  node text NOT NULL,
  text text NOT NULL,
  amount bigint NOT NULL,
  since bigint NOT NULL,
  ended_at bigint,
  told bigint NOT NULL DEFAULT 0,
  tell_at bigint NOT NULL,
  acked_at bigint,
  acked_by text
);
CREATE UNIQUE INDEX alarm_standing ON alarm (kind, subject, node) WHERE ended_at IS NULL;

-- One row per transition and per human act. request is the act's idempotency key.
CREATE TABLE history (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at bigint NOT NULL,
  actor text NOT NULL,
  request text,
  appointment bigint,
  notice bigint,
  message bigint,
  batch bigint,
  channel text,
  district text,
  office text,
  event text NOT NULL,
  from_state text,
  to_state text,
  detail text NOT NULL
);
CREATE INDEX history_appointment ON history (appointment, id) WHERE appointment IS NOT NULL;
CREATE INDEX history_batch ON history (batch, id) WHERE appointment IS NULL AND batch IS NOT NULL;

CREATE FUNCTION is_kept() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$;
CREATE TRIGGER history_is_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON history
  FOR EACH STATEMENT EXECUTE FUNCTION is_kept();
CREATE TRIGGER attempt_is_kept BEFORE DELETE OR TRUNCATE ON attempt
  FOR EACH STATEMENT EXECUTE FUNCTION is_kept();

INSERT INTO meta (name, value) VALUES ('store_id', replace(gen_random_uuid()::text, '-', ''));
INSERT INTO schema (one, writes, reads) VALUES (1, 1, 1);
