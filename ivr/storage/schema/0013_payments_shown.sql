-- Payments as staff looks at them: with their customer and what went back, found by state and number.

CREATE INDEX attempts_by_state ON attempts (state, seq);
CREATE INDEX attempts_by_confirmation ON attempts (confirmation);

-- What of a payment went back, and what may have.
CREATE VIEW payments_shown AS
SELECT attempts.seq, attempts.id, attempts.order_id, attempts.customer_id, attempts.call_id,
       attempts.amount, attempts.currency, attempts.fee, attempts.method, attempts.state,
       attempts.brand, attempts.last4, attempts.account_type, attempts.payer,
       attempts.transaction_id, attempts.processor_code, attempts.confirmation, attempts.reason,
       attempts.created_at, attempts.ended_at,
       customers.account_number, customers.name AS customer_name,
       (SELECT coalesce(sum(refunds.amount), 0) FROM refunds
        WHERE refunds.attempt_id = attempts.id AND refunds.state = 'done') AS refunded,
       (SELECT coalesce(sum(refunds.amount), 0) FROM refunds
        WHERE refunds.attempt_id = attempts.id AND refunds.state IN ('asked', 'unknown'))
           AS refunding
FROM attempts JOIN customers ON customers.id = attempts.customer_id;
