-- Which servers believe what they remember: whoever changes something asks them before it commits.

CREATE TABLE leases (
    name    TEXT    PRIMARY KEY,
    -- It is not prolonged any more.
    revoked BOOLEAN NOT NULL DEFAULT FALSE
);
