// What the event log asks most often, as functions of its schema: PostgreSQL keeps the plan of a function, while planning
// a statement that comes as text can take as long as running it.

/** The definitions, as a step that the schema takes once. */
export function logFunctions(schema: string): string {
  return appendFunction(schema) + readFunction(schema);
}

// Locks are taken in the order of the keys; a row's lock holds until the commit, which is what keeps the numbers of a key
// without gap and in order.
function appendFunction(schema: string): string {
  return `
  CREATE FUNCTION ${schema}.append_event(keys text, at bigint, content text)
  RETURNS TABLE (key text, head bigint) LANGUAGE plpgsql AS $append$
  #variable_conflict use_column
  DECLARE
    added bigint;
  BEGIN
    INSERT INTO ${schema}.event (at, content) VALUES (append_event.at, append_event.content) RETURNING id INTO added;
    RETURN QUERY WITH raised AS (
      INSERT INTO ${schema}.log AS log (key, head)
      SELECT key, 1 FROM unnest(string_to_array(keys, chr(10))) AS key ORDER BY key COLLATE "C"
      ON CONFLICT (key) DO UPDATE SET head = log.head + 1 RETURNING id, key, head
    ), entered AS (
      INSERT INTO ${schema}.entry (log, number, at, event)
      SELECT raised.id, raised.head, append_event.at, added FROM raised
    )
    SELECT raised.key, raised.head FROM raised;
  END
  $append$;`;
}

// STABLE, so that all of it sees the log at one moment. A log without events to read gives one row that has none. sign()
// says at >= since in a form that seems to keep nearly all, lest a planner without statistics collect and sort all
// entries in place of taking the first.
function readFunction(schema: string): string {
  return `
  CREATE FUNCTION ${schema}.read_events(asked text, after bigint, count bigint, kept bigint, since bigint)
  RETURNS TABLE (head bigint, oldest bigint, number bigint, content text) LANGUAGE plpgsql STABLE AS $read$
  DECLARE
    found_log bigint;
  BEGIN
    SELECT log.id, log.head INTO found_log, head FROM ${schema}.log AS log WHERE log.key = asked;
    IF NOT FOUND THEN RETURN; END IF;
    SELECT entry.number INTO oldest FROM ${schema}.entry AS entry
    WHERE entry.log = found_log AND entry.number > head - kept AND sign(entry.at - since) <> -1
    ORDER BY entry.number LIMIT 1;
    RETURN QUERY SELECT head, oldest, entry.number, (SELECT event.content FROM ${schema}.event WHERE id = entry.event)
    FROM ${schema}.entry AS entry WHERE entry.log = found_log AND entry.number >= greatest(after + 1, oldest)
      AND oldest IS NOT NULL
    ORDER BY entry.number LIMIT count;
    IF NOT FOUND THEN RETURN NEXT; END IF;
  END
  $read$;`;
}
