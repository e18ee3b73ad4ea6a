//! What stands at the end of each help text.

pub(super) const MAIN_EXAMPLES: &str = "\
Examples:
  elpis-backup demo                      see everything at work on an installation of its own
  elpis-backup create                    the nightly job
  elpis-backup list --max-age 26h        the check that there was one
  elpis-backup rehearse                  the proof that it can be restored
  elpis-backup restore --newest --dry-run
  elpis-backup -c /var/www/html/pandora_console -d /tmp      as pandora_backup.sh

Exit codes: 0 done, 1 internal error, 2 usage or configuration, 3 refused, 4 stopped part-way,
5 needs a person, 6 another run holds the lock, 7 partial, broken or too old, 8 unreachable,
130 interrupted.";

pub(super) const CREATE_EXAMPLES: &str = "\
An archive gets its name when it is complete, on disk and verified; after any error or signal there
is none. Exit code 7 means that there is one, but some files could not be read.

Examples:
  elpis-backup create --dry-run          what is there, and is there room for it?
  elpis-backup create --container tar.gz --target /mnt/usb
  elpis-backup create --format json      one event a line";

pub(super) const DUMP_EXAMPLES: &str = "\
Examples:
  elpis-backup dump pandora -o /backup/pandora.sql --option-file /root/.my.cnf
  mariadb pandora < /backup/pandora.sql";

pub(super) const VERIFY_EXAMPLES: &str = "\
Archives of the old script are read as well: every frame, every header, and the end of the dump.

Examples:
  elpis-backup verify                    the newest one
  elpis-backup verify --all --format json
  elpis-backup verify /tmp/pandorafms_backup_2018-03-12-15-16-53.tar.gz";

pub(super) const LIST_EXAMPLES: &str = "\
Examples:
  elpis-backup list
  elpis-backup list --max-age 26h --verified --quiet
  elpis-backup list --target /tmp --format json
  elpis-backup list --restores           what can be resumed, undone or forgotten";

pub(super) const EXTRACT_EXAMPLES: &str = "\
Examples:
  elpis-backup extract pandorafms_backup_2026-11-21-02-00-00.tar.gz /tmp/look
  elpis-backup extract ARCHIVE /tmp/look --only etc/pandora";

pub(super) const UPLOAD_EXAMPLES: &str = "\
An archive counts in the store when it has arrived whole and has been read back. After a cut line
only what is missing is sent.

Examples:
  elpis-backup upload                    go on with what was begun
  elpis-backup upload --all --max-rate 5M
  elpis-backup list --target s3://bucket/prefix
  elpis-backup list --target sftp://backup@nas/srv/archives";

pub(super) const PRUNE_EXAMPLES: &str = "\
Never removed: pinned archives, the newest verified one, and the newest that is not broken.

Examples:
  elpis-backup prune --dry-run
  elpis-backup prune --keep-daily 7 --keep-weekly 5 --keep-monthly 12";

pub(super) const DEMO_EXAMPLES: &str = "\
Examples:
  elpis-backup demo
  elpis-backup demo --keep /tmp/elpis --rows 100000";
