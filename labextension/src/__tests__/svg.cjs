// Stands for the text of any icon.
module.exports = '<svg xmlns="http://www.w3.org/2000/svg"></svg>';
