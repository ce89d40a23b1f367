/** What needs a newer Android than the oldest one supported: compiled against the newest classes only. */
package org.sqztf.demo.newer;
