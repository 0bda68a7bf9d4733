-- Customers by the sound and the spelling of their names; filled by ivr/storage/name_index.py.

-- Every word of every name, with its sounds (ivr/billing/sounds.py) and what finds them.
CREATE TABLE name_words (
    id     integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    word   cardless_text NOT NULL UNIQUE,
    sounds text[] NOT NULL
);
COMMENT ON COLUMN name_words.word IS 'lower case, accents kept';

CREATE TABLE name_word_keys (
    key     text COLLATE "C" NOT NULL,
    word_id integer NOT NULL REFERENCES name_words ON DELETE CASCADE,
    weight  real NOT NULL,
    PRIMARY KEY (key, word_id) INCLUDE (weight)
);

-- One row a name, however many customers bear it.
CREATE TABLE spoken_names (
    id    integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind  text NOT NULL CHECK (kind IN ('person', 'company')),
    words cardless_text NOT NULL,
    UNIQUE (words, kind)
);
COMMENT ON COLUMN spoken_names.words IS 'folded, without titles, particles and legal forms';

CREATE TABLE name_combinations (
    key     bigint NOT NULL,
    unsaid  smallint NOT NULL,
    name_id integer NOT NULL,
    PRIMARY KEY (key, unsaid, name_id)
);
COMMENT ON COLUMN name_combinations.key IS 'a hash of some of the name''s words in any order';
COMMENT ON COLUMN name_combinations.unsaid IS 'how many of its words are not among them';

CREATE TABLE name_keypads (
    keys    text COLLATE "C" NOT NULL CHECK (keys ~ '^[0-9]{1,40}$'),
    name_id integer NOT NULL,
    PRIMARY KEY (keys, name_id)
);

CREATE TABLE customer_names (
    customer_id bigint PRIMARY KEY REFERENCES customers ON DELETE CASCADE,
    name_id     integer NOT NULL REFERENCES spoken_names
);
CREATE INDEX customers_of_name ON customer_names (name_id);

-- Customers whose name is new or changed since it was last looked at.
CREATE TABLE names_to_index (
    customer_id bigint PRIMARY KEY REFERENCES customers ON DELETE CASCADE
);
INSERT INTO names_to_index SELECT id FROM customers;

CREATE FUNCTION note_new_names() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO names_to_index SELECT id FROM new_rows ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;
CREATE FUNCTION note_changed_names() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO names_to_index
    SELECT new_rows.id FROM new_rows JOIN old_rows USING (id)
    WHERE (new_rows.name::text, new_rows.kind) IS DISTINCT FROM (old_rows.name::text, old_rows.kind)
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;
CREATE TRIGGER new_names AFTER INSERT ON customers
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_new_names();
CREATE TRIGGER changed_names AFTER UPDATE ON customers
    REFERENCING NEW TABLE AS new_rows OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_changed_names();
