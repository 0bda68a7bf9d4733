-- Accounts that a bank did not know are counted for a day, before another may be asked about.

CREATE INDEX mandates_of_time ON mandates (accepted_at);
