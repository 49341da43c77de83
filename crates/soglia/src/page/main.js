// The page, from top to bottom.

writeHead();
writeProcesses();
writeFindings();
writeEnd();
writeAttached();
writeTroubles();
if (!isMerged) writeTimeline();
writeTargets();
writeCallers();
writeSlow();
writeActivities();
writeThreads();
writeNotes();
document.documentElement.dataset.ready = "true";
