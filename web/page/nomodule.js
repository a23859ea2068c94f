// For browsers that know no modules, and so cannot run the page: shows what index.html says to them.
var old = document.getElementById('old');
if (old) old.hidden = false;
