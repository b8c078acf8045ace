// Runs before anything is painted, so that a chosen theme does not flash the other one first. No module: those come
// later.
try {
  const theme = localStorage.getItem('vultus.theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
} catch {
  // Storage may be forbidden; then the system's theme holds.
}
