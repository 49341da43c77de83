// The page, from top to bottom.

writeHead();
writeFindings();
writeEnd();
writeAttached();
writeTroubles();
writeTimeline();
writeTargets();
writeCallers();
writeSlow();
writeActivities();
writeThreads();
writeNotes();
document.documentElement.dataset.ready = "true";
