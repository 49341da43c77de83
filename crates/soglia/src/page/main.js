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
writeThreads();
writeNotes();
document.documentElement.dataset.ready = "true";
