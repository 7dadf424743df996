// What people do with the page. Started by the daemon's own tests (crates/server/tests/it/page.rs), which say where it is.
import './first.js';
import './clusters.js';
import './supplies.js';
import './people.js';
import './everybody.js';
import './itself.js';
