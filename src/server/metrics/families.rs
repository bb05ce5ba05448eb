//! Every metric once: name, kind and meaning. The manual lists them; a test compares both with what is served.

use super::{Family, Kind};

macro_rules! families {
    ($($id:ident = $kind:ident $name:literal $help:literal;)*) => {
        $(pub(super) const $id: Family = Family { name: $name, kind: Kind::$kind, help: $help };)*

        /// Every metric of the server, in the order in which they are served.
        pub const FAMILIES: &[Family] = &[$($id,)*];
    };
}

families! {
    REQUESTS = Counter "domicile_http_requests_total"
        "Requests by class and status. 429 is counted by itself, not in 4xx.";
    REQUEST_DURATION = Histogram "domicile_http_request_duration_seconds"
        "Time until the head of the answer, by class. Of the class verify, one request in 64 is measured.";
    THROTTLED = Counter "domicile_throttled_proofs_total"
        "People who were told to wait because of wrong proofs or too many requests.";
    QUEUE_LENGTH = Gauge "domicile_writer_queue_length"
        "Changes that wait for the writer.";
    QUEUE_MAX = Gauge "domicile_writer_queue_max"
        "Changes that may wait. More are answered with 503.";
    QUEUE_REFUSED = Counter "domicile_writer_refused_total"
        "Changes that were refused because the queue was full.";
    WRITER_WAIT = Histogram "domicile_writer_wait_seconds"
        "Time that a change waited for the writer.";
    COMMITS = Histogram "domicile_writer_commit_seconds"
        "Time of a commit, with all changes in it, until it is on the disk.";
    COMMITS_FAILED = Counter "domicile_writer_commits_failed_total"
        "Commits that failed.";
    SECURITY_EVENTS = Counter "domicile_security_events_total"
        "Security events in the log, by name and outcome.";
    JOB_RUNS = Counter "domicile_job_runs_total"
        "Runs of each job by outcome: done, again (it is tried again) or given_up.";
    JOB_LAST_SUCCESS = Gauge "domicile_job_last_success_timestamp_seconds"
        "When each job last succeeded, since the start of the server.";
    SNAPSHOTS = Counter "domicile_snapshots_total"
        "Snapshots by result since the start of the server.";
    SNAPSHOT_TIME = Gauge "domicile_snapshot_timestamp_seconds"
        "When the published snapshot was made. An appliance in which nothing changes publishes none.";
    SNAPSHOT_BYTES = Gauge "domicile_snapshot_bytes"
        "Size of the published snapshot.";
    DRILL_TIME = Gauge "domicile_drill_timestamp_seconds"
        "When the last restore drill ended.";
    DRILL_GOOD = Gauge "domicile_drill_success"
        "Whether the last restore drill succeeded.";
    DRILL_LAST_GOOD = Gauge "domicile_drill_last_success_timestamp_seconds"
        "When the last successful restore drill ended.";
    MAILS = Gauge "domicile_mails_waiting"
        "Mails that wait to be sent.";
    MAIL_OLDEST = Gauge "domicile_mail_oldest_waiting_seconds"
        "How long the oldest mail that is not sent has waited.";
    COMMANDS = Gauge "domicile_commands_open"
        "Commands that services have not acknowledged yet.";
    COMMANDS_OVERDUE = Gauge "domicile_commands_overdue"
        "Commands that services have not acknowledged in time.";
    COMMANDS_FAILED = Gauge "domicile_commands_failed"
        "Commands of the last 30 days that services could not do.";
    WEBHOOKS = Counter "domicile_webhooks_total"
        "Attempts to send webhooks to services: taken or failed.";
    ACCOUNTS = Gauge "domicile_accounts"
        "Accounts.";
    SESSIONS = Gauge "domicile_sessions"
        "Sessions that have not ended.";
    KEYS = Gauge "domicile_api_keys"
        "API keys that are neither revoked nor expired.";
    DATABASE_BYTES = Gauge "domicile_database_bytes"
        "Size of the live database, with its write-ahead log.";
    DISK_FREE = Gauge "domicile_disk_free_bytes"
        "Free space on the disk of the data folder.";
    READY = Gauge "domicile_ready"
        "Whether nothing needs an operator, as the readiness probe says it.";
    FAULTS = Gauge "domicile_readiness_fault"
        "1 for each reason why the server is not ready. No value: there is none.";
    BUILD = Gauge "domicile_build_info"
        "Versions of this program and its parts.";
    START = Gauge "process_start_time_seconds"
        "When the process was started.";
    CPU = Counter "process_cpu_seconds_total"
        "Time of the processor that was used.";
    RSS = Gauge "process_resident_memory_bytes"
        "Memory that is in use.";
    VIRTUAL = Gauge "process_virtual_memory_bytes"
        "Addresses that are in use.";
    OPEN_FILES = Gauge "process_open_fds"
        "Open files and sockets.";
    OPEN_FILES_MAX = Gauge "process_max_fds"
        "Files and sockets that may be open.";
}
