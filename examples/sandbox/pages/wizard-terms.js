'use strict';
document.getElementById('accept').addEventListener('change', (event) => {
  parent.postMessage({ terms: event.target.checked }, location.origin);
});
