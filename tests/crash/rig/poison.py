"""Rows that COPY refuses: of one kind Redshift's error tables tell, of the other nothing does.

For the second kind the table has a trigger of PostgreSQL. Redshift has none; but it too fails loads
at times, and its error tables have no word of it.
"""

TOLD = "x" * 200  # and more: longer than the column is
UNTOLD = "unspeakable"

TRIGGER = """
CREATE FUNCTION {table}_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM fresh WHERE text LIKE '{untold}%') THEN
        RAISE EXCEPTION USING ERRCODE = 'data_exception', MESSAGE = 'a row of nobody knows which';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER refuse AFTER INSERT ON {table} REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION {table}_refuse()
"""


def refuse_poison(both):
    """Let the table refuse what its columns do not."""
    both.query(TRIGGER.format(table=both.table, untold=UNTOLD))
