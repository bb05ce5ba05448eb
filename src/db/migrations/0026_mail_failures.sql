-- Why a mail waits, without any text of another machine, so that it can be logged and shown: the step of the delivery that
-- failed, the SMTP code if there was one, and the cause. `claimed_at` is set while a process sends the mail.
alter table mail_outbox add column claimed_at integer;
alter table mail_outbox add column failed_stage text check (length(failed_stage) between 1 and 20);
alter table mail_outbox add column failed_code integer;
alter table mail_outbox add column failed_cause text check (length(failed_cause) between 1 and 20);
